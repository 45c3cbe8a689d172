// Owns the words the verifier knows in English, Spanish and Portuguese: what a word says about the answer.
// Keys are folded: lower case, no accents, no apostrophes. Refuses to hold phrases; those are read in
// reading.ts.

function list(words: string): string[] {
  return words.trim().split(/\s+/);
}

function tableOf(rows: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(rows).flatMap(([key, words]) => list(words).map((word) => [word, key])));
}

/** Words that carry grammar, not the subject. */
export const STOP_WORDS: ReadonlySet<string> = new Set(
  list(`
  a an the is are was were be been being am do does did doing done have has had having will would shall should can
  could may might must of in on at by for with about into through to from up down out off over under again then once
  here there when where why how what which who whom whose all any both each few most other some such only own same so
  than too very just and or but if because as until while i me my myself we our ours you your yours he him his she her
  hers it its they them their theirs this that these those please tell explain give show want need know like get
  im ive id ill youre whats hows wheres whos thats theres lets s t m re ve d ll us one ones someone something anyone
  anything also really actually ever still yet
  el la los las un una unos unas lo al del de y o u e que en con por para a ante sobre se su sus mi mis tu tus me te le
  les nos es son era eran fue fueron ser estar esta estan estaba hay ha han he haber puede puedo pueden debe como cual
  cuales quien quienes cuando donde porque si muy este ese eso esto esos estos esa esas favor dime explica dame
  os as um uma uns umas do da dos das no na nos nas ao aos pelo pela pelos pelas em com sem seu sua seus suas meu minha
  meus minhas voce voces eu ele ela eles elas isso isto esse essa este sao foi foram sou estou esta estao tem ter ha
  posso pode podem deve qual quais quem quando onde muito mais e ou mas se diga explique
  `),
);

export const NEGATIONS: ReadonlySet<string> = new Set(
  list(`
  not no never without none nor neither cannot cant dont doesnt didnt isnt arent wasnt werent wont wouldnt shouldnt
  couldnt hasnt havent hadnt mustnt aint nobody nothing nowhere except unable fail fails failed lack lacking
  nunca jamas sin ningun ninguna ninguno tampoco ni nadie nada excepto salvo
  nao sem nenhum nenhuma jamais nem ninguem tampouco exceto
  `),
);

/** Spelled numbers; the value as digits. */
export const NUMBER_WORDS: ReadonlyMap<string, string> = tableOf({
  0: 'zero cero',
  1: 'first primero primera primer primeiro primeira',
  2: 'two second dos segundo segunda dois duas twice double doble dobro',
  3: 'three third tres tercero tercera terceiro terceira triple triplo',
  4: 'four fourth cuatro cuarto quatro quarto',
  5: 'five fifth cinco quinto',
  6: 'six sixth seis sexto',
  7: 'seven seventh siete sete septimo setimo',
  8: 'eight eighth ocho oito octavo oitavo',
  9: 'nine ninth nueve nove noveno nono',
  10: 'ten tenth diez dez decimo',
  11: 'eleven onze',
  12: 'twelve doce doze dozen docena duzia',
  13: 'thirteen trece treze',
  14: 'fourteen catorce quatorze',
  15: 'fifteen quince quinze',
  16: 'sixteen dieciseis dezesseis',
  17: 'seventeen diecisiete dezessete',
  18: 'eighteen dieciocho dezoito',
  19: 'nineteen diecinueve dezenove',
  20: 'twenty veinte vinte',
  30: 'thirty treinta trinta',
  40: 'forty cuarenta quarenta',
  50: 'fifty cincuenta cinquenta',
  60: 'sixty sesenta sessenta',
  70: 'seventy setenta',
  80: 'eighty ochenta oitenta',
  90: 'ninety noventa',
  100: 'hundred cien ciento cem cento',
  1000: 'thousand mil',
  1000000: 'million millon millones milhao milhoes',
  1000000000: 'billion bilhao bilhoes',
  '1/2': 'half mitad metade medio media',
  '1/4': 'quarter cuarta',
});

/** Units by what they name; two spellings of one unit share a name. */
export const UNITS: ReadonlyMap<string, string> = tableOf({
  kilometre: 'km kms kilometer kilometers kilometre kilometres kilometro kilometros quilometro quilometros',
  metre: 'meter meters metre metres metro metros mts',
  centimetre: 'cm cms centimeter centimeters centimetre centimetres centimetro centimetros',
  millimetre: 'mm millimeter millimeters millimetre millimetres milimetro milimetros',
  mile: 'mile miles milla millas milha milhas',
  foot: 'ft foot feet pie pies',
  inch: 'inch inches pulgada pulgadas polegada polegadas',
  yard: 'yard yards yarda yardas jarda jardas',
  gram: 'gram grams gramo gramos grama gramas',
  kilogram: 'kg kgs kilo kilos kilogram kilograms kilogramo kilogramos quilo quilos quilograma quilogramas',
  milligram: 'mg milligram milligrams miligramo miligramos miligrama miligramas',
  pound: 'lb lbs pound pounds libra libras',
  ounce: 'oz ounce ounces onza onzas onca oncas',
  litre: 'liter liters litre litres litro litros',
  millilitre: 'ml milliliter milliliters millilitre millilitres mililitro mililitros',
  gallon: 'gallon gallons galon galones galao galoes',
  celsius: 'celsius centigrade centigrados',
  fahrenheit: 'fahrenheit',
  kelvin: 'kelvin',
  second: 'sec secs seconds segundos',
  minute: 'min mins minute minutes minuto minutos',
  hour: 'hr hrs hour hours hora horas',
  day: 'day days dia dias',
  week: 'week weeks semana semanas',
  month: 'month months mes meses',
  year: 'year years yr yrs ano anos',
  dollar: 'dollar dollars usd dolar dolares',
  euro: 'euro euros eur',
  'pound-sterling': 'gbp sterling',
  rupee: 'rupee rupees inr rupia rupias',
  peso: 'peso pesos mxn',
  real: 'reais brl',
  yen: 'yen jpy iene ienes',
  bitcoin: 'btc bitcoin bitcoins',
  ether: 'eth ethereum ether',
  byte: 'byte bytes',
  kilobyte: 'kb kilobyte kilobytes',
  megabyte: 'mb megabyte megabytes',
  gigabyte: 'gb gigabyte gigabytes',
  terabyte: 'tb terabyte terabytes',
  percent: 'percent percentage pct porcentaje porcentagem',
});

export const DATE_WORDS: ReadonlyMap<string, string> = tableOf({
  monday: 'monday mon lunes segunda-feira',
  tuesday: 'tuesday tue martes terca terca-feira',
  wednesday: 'wednesday wed miercoles quarta-feira',
  thursday: 'thursday thu jueves quinta-feira',
  friday: 'friday fri viernes sexta-feira',
  saturday: 'saturday sabado',
  sunday: 'sunday domingo',
  january: 'january jan enero janeiro',
  february: 'february feb febrero fevereiro',
  march: 'marzo marco',
  april: 'april apr abril',
  may: 'mayo maio',
  june: 'june jun junio junho',
  july: 'july jul julio julho',
  august: 'august aug agosto',
  september: 'september sep sept septiembre setembro',
  october: 'october oct octubre outubro',
  november: 'november nov noviembre novembro',
  december: 'december dec diciembre dezembro',
  today: 'today tonight hoy hoje',
  tomorrow: 'tomorrow manana amanha',
  yesterday: 'yesterday ayer ontem',
  spring: 'primavera',
  summer: 'summer verano verao',
  autumn: 'autumn otono outono',
  winter: 'winter invierno inverno',
  christmas: 'christmas xmas navidad natal',
  easter: 'easter pascua pascoa',
});

/** Opposites. A text with one side and a text with the other do not ask the same. */
const OPPOSITE_ROWS: readonly (readonly [string, string])[] = [
  ['more mas mais', 'less fewer menos'],
  ['most', 'least'],
  ['best mejor mejores melhor melhores better', 'worst peor peores pior piores worse'],
  [
    'highest tallest higher taller alto alta altos altas maior',
    'lowest lower shortest shorter bajo baja baixo baixa menor',
  ],
  ['high', 'low'],
  ['biggest largest bigger larger grande grandes', 'smallest smaller pequeno pequena pequenos pequenas'],
  ['longest longer', 'shortest shorter'],
  ['fastest faster quickest rapido rapida', 'slowest slower lento lenta'],
  ['oldest older viejo vieja velho velha', 'newest newer youngest younger nuevo nueva novo nova joven jovem'],
  ['maximum max maximo maxima', 'minimum min minimo minima'],
  ['richest richer rico rica', 'poorest poorer pobre'],
  ['easiest easier easy facil', 'hardest harder hard difficult dificil'],
  ['cheapest cheaper cheap barato barata', 'expensive priciest caro cara'],
  [
    'increase increasing increases raise gain aumentar subir ganar ganhar',
    'decrease decreasing reduce reducing lower lose losing disminuir bajar perder reducir diminuir reduzir baixar',
  ],
  ['above encima acima', 'below debajo abaixo'],
  ['over', 'under'],
  ['before antes', 'after despues depois apos'],
  ['with con com', 'without sin sem'],
  ['buy buying purchase comprar', 'sell selling vender'],
  ['open opening abrir', 'close closing shut cerrar fechar'],
  ['start begin starting empezar comenzar iniciar comecar', 'stop end quit finish terminar parar acabar'],
  [
    'enable activate activar habilitar ativar',
    'disable deactivate desactivar deshabilitar desativar desabilitar',
  ],
  ['install instalar', 'uninstall remove desinstalar'],
  ['add agregar anadir adicionar', 'remove delete subtract quitar eliminar borrar remover apagar excluir'],
  ['login signin', 'logout signout'],
  ['left izquierda esquerda', 'right derecha direita'],
  ['north norte', 'south sur sul'],
  ['east este leste', 'west oeste'],
  ['import importar', 'export exportar'],
  ['upload subir', 'download descargar baixar'],
  ['send enviar', 'receive recibir receber'],
  ['lend prestar emprestar', 'borrow'],
  ['arrive arrival llegar llegada chegar chegada', 'depart departure leave salir salida sair partida'],
  ['encrypt encode cifrar codificar', 'decrypt decode descifrar decodificar'],
  [
    'male man men boy boys husband father son brother hombre hombres homem homens',
    'female woman women girl girls wife mother daughter sister mujer mujeres mulher mulheres',
  ],
  [
    'advantage advantages pros benefit benefits ventaja ventajas vantagem vantagens',
    'disadvantage disadvantages cons drawback drawbacks desventaja desventajas desvantagem desvantagens',
  ],
  ['positive positivo positiva', 'negative negativo negativa'],
  ['love amar', 'hate odiar'],
  ['safe seguro segura', 'dangerous unsafe peligroso peligrosa perigoso perigosa'],
  ['legal', 'illegal ilegal'],
  ['cause causes causa causas', 'effect effects cure treatment efecto efectos efeito efeitos'],
  ['first', 'last'],
  ['day dia', 'night noche noite'],
  ['always siempre sempre', 'never nunca'],
  ['public publico publica', 'private privado privada'],
  ['input entrada', 'output salida saida'],
  ['hot caliente quente', 'cold frio fria'],
  ['true verdadero verdadeiro', 'false falso'],
  ['allow allowed permitir permitido', 'forbid forbidden ban banned prohibir prohibido proibir proibido'],
  ['accept aceptar aceitar', 'reject refuse decline rechazar rejeitar recusar'],
];

/** Word to the sides it stands on: `3+` or `3-` for the third pair. */
export const OPPOSITES: ReadonlyMap<string, readonly string[]> = readOpposites();

function readOpposites(): ReadonlyMap<string, readonly string[]> {
  const sides = new Map<string, string[]>();
  OPPOSITE_ROWS.forEach((pair, at) => {
    pair.forEach((words, side) => {
      for (const word of list(words))
        sides.set(word, [...(sides.get(word) ?? []), `${at}${side === 0 ? '+' : '-'}`]);
    });
  });
  return sides;
}

/** A word on either side makes the pair one of direction, not of comparison. */
const DIRECTION_WORDS: ReadonlySet<string> = new Set(
  list(`before after above below over under left right north south east west buy sell open close start stop enable
  disable install uninstall add remove login logout import export upload download send receive lend borrow arrive
  depart encrypt decrypt input output with without increase decrease win lose`),
);

/** Pairs of opposites that tell a direction, by their place among the pairs. */
export const DIRECTION_PAIRS: ReadonlySet<string> = new Set(
  OPPOSITE_ROWS.flatMap((pair, at) =>
    pair.some((words) => list(words).some((word) => DIRECTION_WORDS.has(word))) ? [String(at)] : [],
  ),
);

/** What a question asks for, by the word that asks. `what`, `which` and bare `how` ask for anything. */
export const QUESTION_WORDS: ReadonlyMap<string, string> = tableOf({
  who: 'who whom whose quien quienes quem',
  when: 'when cuando quando',
  where: 'where donde onde',
  why: 'why porque',
  what: 'what which whats que cual cuales qual quais',
  how: 'how como',
});

// Owns two word lists in folded lower case: first names common where English, Spanish and Portuguese are
// spoken, without those that are ordinary words or places, and capitalised words that name nobody.
// Chosen by hand; the tagger, where there is one, knows the rest.

export const FIRST_NAMES: ReadonlySet<string> = new Set(
  `aaron abigail adam adrian adriana agnes agustin aidan aiden alan alba albert alberto alejandra alejandro alex
  alexander alexandra alexandre alfonso alfred alfredo alice alicia alison alvaro amanda amelia amy ana anderson andre andrea
  andreas andres andrew andy angela angelica anita anna anne annie antonia antonio anthony arthur artur ashley barbara beatriz
  belen ben benjamin bernard bernardo beth betty bianca blanca bob bobby brandon brenda brian bruce bruna bruno caio camila
  carla carlos carmen carol carolina caroline catarina catherine cathy cecilia celia cesar charles charlotte cheryl chloe
  chris christian christina christine christopher cindy claire clara claudia claudio connor consuelo craig cristian cristina
  crystal cynthia daisy dan daniel daniela danielle dario dave david deborah debra denise dennis derek diana diane diego
  diogo dolores donald donna dorothy doug douglas duarte dylan eduarda eduardo edward elaine elena eleanor eliana elias elisa
  elizabeth ella ellen emilia emilio emily emma encarnacion enrique eric erica erik ernesto estefania esteban ester esther
  ethan eugene eva evelyn fabian fabio fatima felipe felix fernanda fernando filipa filipe flavia flavio frances francesca
  francisca francisco frank fred frederico gabriel gabriela gareth gary gavin george gerald gerardo giovanna gisele gladys
  glenn gloria gonzalo graham greg gregory guilherme guillermo gustavo hannah harold harriet harry heather hector heitor
  helen helena henrique henry hernan hugo ian ignacio igor ines inigo inma irene isaac isabel isabela isabella isadora ivan
  jack jacob jacqueline jaime jake james jamie jan jane janet janice jared jasmine javier jean jeff jeffrey jennifer jenny
  jeremy jerry jesse jessica jesus jill jim jimena jimmy joan joana joanna joao joaquim joaquin jody joe joel john johnny
  jon jonathan jorge jose joseph josh joshua juan juana juanita judith judy julia julian juliana julie julieta julio justin
  karen karina karl kate katherine kathleen kathryn kathy katie keith kelly ken kenneth kevin kim kimberly kristen kyle laila
  lara larissa larry laura lauren laurie lawrence leandro leah leo leonardo leonor leticia liam lidia liliana linda lisa
  livia logan lola lorena lorenzo louise lourdes lucas lucia luciana luciano lucy luis luisa luiz luiza luke lydia maite
  manuel manuela marc marcela marcelo marcia marcio marco marcos margaret margarita margarida maria mariana mariano marie
  marilyn marina mario marisa marisol marta martha martin martina mateo mateus matheus mathew matias matilde matt matthew
  maureen mauricio max megan melanie melissa mercedes michael michelle miguel mike mikel miriam mohamed mohammed molly monica
  montserrat murilo nancy naomi natalia natalie nathan nathaniel neil nelson nestor nicholas nick nicola nicolas nicole nina
  noah noelia nora norma nuno nuria octavio olga oliver olivia omar oscar otavio pablo paloma pamela paola patricia patrick
  paul paula paulo pedro peggy peter phil philip pilar priscila rachel rafael rafaela ramiro ramon raquel raul ray raymond
  rebecca regina renata renato ricardo richard rita rob robert roberta roberto rocio rodolfo rodrigo roger rogelio rogerio
  ronald rosa rosana rosario roxana ruben rui ruth ryan salvador sam samantha samuel sandra santiago sara sarah scott sean
  sebastian sergio shannon sharon sheila shirley silvia simon simone sofia sonia sophia sophie stacy stefan stella stephanie
  stephen steve steven stuart susan susana suzanne sylvia tamara tania tatiana teresa terry thais thalita theresa thiago
  thomas tiago tiffany tim timothy tina todd tom tomas tommy tony tracy trevor tyler valentina valeria vanesa vanessa vera
  veronica vicente victor victoria vinicius virgilio vitor vivian viviane walter wanda wayne wendy wesley william xavier
  ximena yolanda zachary zoe aisha ahmed ali amir anjali arjun deepak fatimah hassan hiroshi ibrahim jamal kenji khalid lakshmi
  layla leila mehmet mei mustafa noor olumide omar oluwaseun priya raj rajesh ravi sanjay sunita svetlana vladimir wei
  yasmin yuki yusuf zainab tyrone latoya darnell aaliyah malik`
    .split(/\s+/)
    .filter((name) => name !== ''),
);

export const NOT_NAMES: ReadonlySet<string> = new Set(
  `i a an and are as at be but by can could did do does for from had has have he her here his how if in into is it its my
  no not of on or our please she should so some than that the their them then there these they this those to was we were what
  when where which who why will with would yes you your also dear hello hi thanks thank best regards sincerely since
  monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october
  november december type stage grade name date age sex male female history patient doctor hospital clinic center centre
  university department street avenue road email phone address number id ssn mrn dob
  el la los las un una y o de del que en por para con sin se su sus es fue era como cuando donde nombre fecha edad sexo
  paciente hospital medico servicio domicilio localidad provincia pais calle telefono correo dni nhc nif nass cp informe
  clinico remitido apellidos masculino femenino hombre mujer varon
  o os as um uma e ou do da dos das no na nos nas em com sem ao aos pelo pela que nome data idade sexo telefone endereco
  rua cpf rg cnpj cep sr sra dr dra senhor senhora exame tribunal ministerio
  lei codigo artigo recurso estado federal uniao brasil portugal espana`
    .split(/\s+/)
    .filter((word) => word !== ''),
);

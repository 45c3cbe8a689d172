"""Word lists behind the slots: ordinary words, kinds of streets and organisations, and what is nobody's."""

from __future__ import annotations

AND = {"en": "and", "es": "y", "pt": "e"}
MONTHS = {
    "en": "January February March April May June July August September October November December".split(),
    "es": "Enero Febrero Marzo Abril Mayo Junio Julio Agosto Septiembre Octubre Noviembre Diciembre".split(),
    "pt": "Janeiro Fevereiro Março Abril Maio Junho Julho Agosto Setembro Outubro Novembro Dezembro".split(),
}
WEEKDAYS = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
    "es": "lunes martes miércoles jueves viernes sábado domingo".split(),
    "pt": "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo segunda sexta".split(),
}
STREET_WORDS = (
    "Oak Maple Cedar Pine Elm Main Church High Station Park Lake Hill River Spring Sunset Highland Washington Lincoln Jackson "
    "Franklin Madison Chestnut Walnut Willow Birch Magnolia Meadow Forest Valley Ridge Mill Bridge Market King Queen Victoria "
    "Albert Windsor Orchard Garden Rose Hawthorn Juniper Poplar Sycamore Laurel Dogwood Cherry Peach Center College School Union "
    "Liberty Harbor Bay Ocean Beach Canyon Mesa Prairie Fox Deer Eagle Hawk Bear Wolf Stone Quarry Granite Copper Silver Golden "
    "Kingsway Broadway Grange Abbey Priory Castle Manor Mulberry Ash Beech Holly Ivy Heather Clover Lavender Sandy Rocky Windy"
).split()
STREET_KINDS = {
    "en": "Street St St. Avenue Ave Ave. Road Rd Rd. Lane Ln Drive Dr Court Ct Boulevard Blvd Way Place Pl Terrace Circle Close Crescent Parkway Pkwy Highway Trail Square Row Mews Walk Gardens Grove Loop Alley".split(),
    "es": ["Calle", "Calle", "C/", "C/ ", "Avda.", "Av.", "Avenida", "Plaza", "Pza.", "Paseo", "Camino", "Carretera", "Ronda", "Travesía", "Calle", "calle", "Rambla", "Glorieta", "Urb.", "Carrer", "Vía", "Calzada", "Pasaje", "Boulevard", "Carrera", "Diagonal", "Cl.", "Av"],
    "pt": ["Rua", "Rua", "R.", "Av.", "Avenida", "Travessa", "Alameda", "Praça", "Rodovia", "Estrada", "Largo", "rua", "Quadra", "Viela", "Beco", "Calçada", "Rotunda", "Urbanização", "R", "Tv.", "Pça."],
}  # fmt: skip
STREET_TITLES = {
    "es": "Doctor|Dr.|General|San|Santa|Virgen de|Obispo|Maestro|Padre|Capitán|Marqués de|Conde de|Reyes|Ingeniero|Alcalde|Pintor|Poeta|Presidente".split("|"),
    "pt": "Doutor|Dr.|General|São|Santa|Nossa Senhora de|Barão de|Padre|Coronel|Marechal|Professor|Professora|Visconde de|Presidente|Dom|Capitão|Duque de|Conselheiro|Eng.|Comendador".split("|"),
}
STREETS = {
    "es": "Mayor|Real|de la Paz|del Sol|de la Constitución|de las Flores|Nueva|Ancha|del Carmen|San Juan|Santa Ana|Cervantes|Goya|Velázquez|Colón|Independencia|Libertad|5 de Mayo|Hidalgo|Juárez|Insurgentes|Reforma|Morelos|San Martín|Belgrano|Rivadavia|Corrientes|Bolívar|Sucre|O'Higgins|Las Palmas|Los Olivos|Los Pinos|El Prado|de Aragón|Alcalá|Gran Vía|del Pilar|de los Reyes|de la Estación|del Mar|de la Iglesia|Fuencarral|Atocha|de Toledo|Extremadura|Andalucía|de la Fuente|Alameda|Obregón|20 de Noviembre|Niños Héroes|Progreso|Roma Norte|Condesa|del Valle|Centro|Las Heras|Pueyrredón|Litoral|Jardines|Molino|Huertas|Cruz|Rosales".split("|"),
    "pt": "das Flores|do Comércio|da Liberdade|Sete de Setembro|Quinze de Novembro|XV de Novembro|das Acácias|da Paz|Augusta|Oscar Freire|Paulista|Brasil|Atlântica|Ipiranga|São João|São José|Santo Antônio|Tiradentes|Getúlio Vargas|Dom Pedro II|Rio Branco|Castro Alves|Machado de Assis|dos Andradas|da República|das Palmeiras|do Sol|da Praia|da Glória|Direita|Nova|dos Bandeirantes|Santos Dumont|da Boavista|de Santa Catarina|do Ouro|da Prata|Luís de Camões|do Carmo|da Misericórdia|dos Pescadores|das Laranjeiras|Vergueiro|da Consolação|Voluntários da Pátria|Bela Vista|Boa Vista|Vila Nova|Beira-Mar|Afonso Pena|Amazonas|da Bahia|dos Ipês|das Hortênsias|Principal|do Sossego".split("|"),
}
US_STATES = "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC".split()
BR_STATES = "SP RJ MG RS PR SC BA PE CE DF GO ES PA AM MT MS RN PB AL SE PI MA TO RO AC AP RR".split()

COMPANY_WORDS = {
    "en": "Global Pacific Northern United National First Summit Pioneer Premier Horizon Apex Vertex Quantum Solar Green Blue Silver Bright Urban Coastal Atlas Titan Falcon Phoenix Nova Orbit Delta Sigma Alpha Capital Trust Bank Insurance Energy Power Water Foods Logistics Freight Motors Media Press Studios Software Systems Solutions Technologies Labs Networks Robotics Analytics Consulting Partners Holdings Ventures Industries Manufacturing Construction Builders Realty Properties Pharmacy Dental Clinic Health Care Wellness Fitness Travel Airlines Hotels Restaurants Bakery Coffee Textiles Furniture Hardware Supply Trading Marketing Design Security Electric Plumbing Gardens Farms Brewing".split(),
    "es": "Construcciones Transportes Seguros Inversiones Servicios Distribuciones Industrias Talleres Muebles Alimentos Textiles Tecnologías Sistemas Soluciones Consultores Asesores Inmobiliaria Constructora Comercial Exportaciones Electricidad Instalaciones Clínica Farmacia Panadería Restaurante Viajes Automóviles Logística Energía Telecomunicaciones Editorial Imprenta Gestoría Banco Caja Mutua Cooperativa Norte Sur Ibérica Mediterráneo Andina Pacífico Nacional Global Moderna Universal Integral Europea".split(),
    "pt": "Construtora Transportes Seguros Investimentos Serviços Distribuidora Indústria Comércio Alimentos Tecnologia Sistemas Soluções Consultoria Engenharia Imobiliária Importadora Elétrica Instalações Clínica Farmácia Padaria Restaurante Turismo Automóveis Logística Energia Telecom Editora Gráfica Contabilidade Banco Caixa Cooperativa Norte Sul Brasil Nacional Global Moderna Universal Integrada Paulista Carioca Mineira Lusitana Atlântico Aurora Ipê Horizonte".split(),
}
COMPANY_SUFFIXES = {
    "en": "Inc Inc. LLC Ltd Ltd. PLC Group Corp Corp. Co. Corporation & Sons, LLP Partners Associates Limited Holdings and Sons".replace("& Sons,", "&Sons").split(),
    "es": ["S.A.", "S.L.", "SL", "SA", "S.A. de C.V.", "S.L.U.", "SAS", "S.R.L.", "e Hijos", "y Asociados", "Hermanos", "S. Coop.", "SpA", "& Cía."],
    "pt": ["Ltda.", "Ltda", "LTDA", "S.A.", "S/A", "ME", "EIRELI", "EPP", "Lda.", "Lda", "e Filhos", "& Associados", "Unipessoal Lda", "Irmãos", "e Cia"],
}
COINED_STARTS = "Zen Lumi Nova Qui Vel Cor Syn Avi Ori Tel Med Bio Neo Pro Inno Flex Data Cloud Pay Fin Agro Eco Vita Cyber Omni Terra Aqua Opti Xen Kry Alto Brio Dyna Evo Globo Hyper Intel Kin Mira Nexa".split()
COINED_ENDS = "tech soft nova ware lytics corp pharma gen core wave link net hub ix ium ora eon ance via tron sys logic med care base grid works bank ly ify ado".split()
KNOWN_COMPANIES = "Microsoft|Google|Amazon|Walmart|Siemens|Toyota|Samsung|IBM|Oracle|Telefónica|Santander|BBVA|Iberdrola|Inditex|Repsol|Mapfre|Petrobras|Itaú|Bradesco|Vale|Embraer|Natura|Magazine Luiza|Banco do Brasil|Deloitte|KPMG|Accenture|JPMorgan Chase|Goldman Sachs|Wells Fargo|HSBC|Barclays|Vodafone|Tesco|Unilever|Nestlé|Pfizer|Roche|Novartis|Bayer|Boeing|Airbus|FedEx|DHL|Uber|Netflix|Intel|Cisco|Nvidia|Tesla|Ford|General Electric|Bank of America|Citibank|AT&T|Verizon|Correos|Renfe|Correios|Caixa Econômica Federal|Nubank|TAP|Galp|EDP|Pemex|Bimbo|Cemex|Aetna|Cigna|Blue Cross|Kaiser Permanente|UnitedHealth|Medicare|NASA|UNESCO|FBI|IRS|NHS".split("|")
SAINTS = {
    "en": "St. Mary's|Saint Luke's|St. Thomas|St. Joseph|Mount Carmel|Sacred Heart|Good Samaritan|Holy Cross|St. Vincent|St Anne's|Mercy|Trinity|Providence|St. Michael's|Bethany|St. Elizabeth|Mount Olive|St. Andrew's|St. Peter's|Zion".split("|"),
    "es": "San José|Santa María|Virgen del Carmen|San Juan de Dios|Virgen de la Macarena|San Rafael|Santa Lucía|Virgen de las Nieves|La Fe|San Carlos|Sagrado Corazón|Nuestra Señora del Rosario|San Pedro|Santa Teresa|La Paz|San Vicente|Santa Cruz|Virgen de la Salud|San Pablo|San Ignacio".split("|"),
    "pt": "São José|Santa Maria|São Lucas|Santa Casa|Nossa Senhora das Graças|São Vicente|Santa Isabel|São Paulo|Santa Clara|São Camilo|Santo Antônio|Sagrado Coração|São Rafael|Nossa Senhora de Fátima|Santa Rita|São João|São Francisco|Santa Cruz|Bom Jesus|Santa Marta".split("|"),
}
HOSPITALS = {
    "en": "{saint} Hospital|{city} General Hospital|{city} Medical Center|{saint} Medical Center|{who} Memorial Hospital|{city} Children's Hospital|{who} Clinic|{word} Valley Clinic|{city} Regional Medical Center|University of {state} Hospital|{saint} Health|{city} Health Center|{word} Creek Family Practice|{city} Cancer Institute|The {who} Center|{city} Community Hospital|{who} Dental|{word} Grove Nursing Home|{city} VA|{saint}|{who} University Hospital|{city} Urgent Care|{who} Pediatrics|{word}side Clinic|{city} Presbyterian|{state} Heart Institute|Royal {city} Infirmary|{word} Hill Rehab|{who}-{city} Hospital|Our Lady of {city}|{city} office|{word}wood Surgery|{who} and {who} Physical Therapy|{who} Health|{city} Eye Clinic|{who} Research Institute|Royal {word} Hospital".split("|"),
    "es": "Hospital {saint}|Hospital Universitario {saint}|Hospital General de {city}|Clínica {who}|Clínica {saint}|Centro de Salud {city}|Hospital Universitario de {city}|Hospital Clínico de {city}|Sanatorio {saint}|Centro Médico {who}|Hospital Comarcal de {city}|Hospital {first} {who}|Ambulatorio {city}|Policlínico {city}|Hospital Regional de {city}|Fundación {who}|Instituto de Oncología de {city}|Complejo Hospitalario de {city}|Hospital Dr. {who}|Hospital Virgen de {city}|Clínica Dental {who}|Residencia {saint}|Hospital Infantil de {city}|HU {saint}|H. {saint}|Consultorio {city}".split("|"),
    "pt": "Hospital {saint}|Hospital Universitário de {city}|Hospital das Clínicas de {city}|Clínica {who}|Clínica {saint}|Santa Casa de {city}|UBS {city}|Hospital Municipal de {city}|Hospital Regional de {city}|UPA {city}|Centro de Saúde de {city}|Hospital Dr. {who}|Hospital {first} {who}|Maternidade {saint}|Laboratório {who}|Centro Médico {city}|Instituto do Coração de {city}|Hospital de {city}|Policlínica {city}|Hospital Infantil {saint}|Hospital Distrital de {city}|Casa de Repouso {saint}|Posto de Saúde {city}|Hospital CUF {city}".split("|"),
}
INSTITUTIONS = {
    "en": "University of {city}|{city} High School|{state} State University|{who} College|{city} Public Library|{city} Police Department|Department of {field}|Ministry of {field}|{city} City Council|{state} Department of {field}|Superior Court of {city}|{who} Foundation|{city} United|{city} School District|National Institute of {field}|{who} & Partners|{city} Credit Union|Bureau of {field}|The {city} Times|{who} Institute|{saint} Church|{saint} School|{city} Chamber of Commerce|{state} National Guard|Association of {field}|Local {n} Union|{city} Rotary Club|Friends of {city}|Society for {field}|{city} Housing Authority".split("|"),
    "es": "Universidad de {city}|Colegio {saint}|Instituto {first} {who}|Ayuntamiento de {city}|Diputación de {city}|Ministerio de {field}|Consejería de {field}|Juzgado de Primera Instancia nº {n} de {city}|Tribunal Superior de Justicia de {state}|Audiencia Provincial de {city}|Policía Local de {city}|Secretaría de {field}|Fundación {who}|Asociación de Vecinos de {city}|Notaría {who}|Registro Civil de {city}|Universidad Nacional de {city}|Escuela {saint}|Parroquia {saint}|Club Deportivo {city}|Instituto Nacional de {field}|Municipalidad de {city}|Juzgado de lo Social n.º {n}|Real {city} CF|Facultad de {field}|Junta de {state}|Diario de {city}|Agencia de {field}".split("|"),
    "pt": "Universidade de {city}|Universidade Federal de {state}|Colégio {saint}|Escola Municipal {first} {who}|Prefeitura de {city}|Câmara Municipal de {city}|Ministério da {field}|Secretaria de {field}|{n}ª Vara Cível de {city}|Tribunal de Justiça de {state}|Tribunal Regional Federal da {n}ª Região|Polícia Civil de {state}|Fundação {who}|Associação de Moradores de {city}|Cartório {who}|Paróquia {saint}|Instituto Federal de {state}|{n}ª Turma Cível|Ministério Público de {state}|Defensoria Pública de {state}|Junta de Freguesia de {city}|Agrupamento de Escolas de {city}|{n}ª Vara do Trabalho de {city}|Sindicato dos {field}|Clube Atlético {city}|Supremo Tribunal Federal|Superior Tribunal de Justiça|Tribunal da Relação de {city}|Conselho Nacional de {field}|Faculdade de {field}|INSS|Assembleia Legislativa de {state}".split("|"),
}
FIELDS = {
    "en": "Health|Labor|Education|Transportation|Justice|Agriculture|Housing|Veterans Affairs|Motor Vehicles|Public Works|Revenue|Technology|Homeland Security|Social Services|Finance|Tourism|Defence|Standards|Engineers|Nurses|Better Technology".split("|"),
    "es": "Salud|Educación|Justicia|Hacienda|Trabajo|Agricultura|Vivienda|Transporte|Cultura|Sanidad|Turismo|Defensa|Estadística|Medicina|Derecho|Ciencias|Seguridad Social|Desarrollo Social|Migraciones|Consumo".split("|"),
    "pt": "Saúde|Educação|Justiça|Fazenda|Trabalho|Agricultura|Habitação|Transportes|Cultura|Previdência|Turismo|Defesa|Estatística|Medicina|Direito|Ciências|Segurança Pública|Metalúrgicos|Bancários|Professores|Assistência Social".split("|"),
}
MAIL_HOSTS = "gmail.com gmail.com yahoo.com hotmail.com outlook.com icloud.com proton.me example.com example.org hotmail.es yahoo.es telefonica.net uol.com.br bol.com.br terra.com.br sapo.pt live.com aol.com company.co.uk mail.com gmx.de correo.es unam.mx usp.br nhs.net hospital.org test.org me.com".split()
TLDS = "com com com net org es com.br pt co.uk io dev mx com.ar co edu gov eu fr de it ai health app info us cl".split()
HANDLE_WORDS = "sunny dark star blue gamer pixel ninja dr real the_real tech cat dog coffee rock moon sky king queen el_ la_ zero delta fox wolf happy crazy luna sol rio mar loco code dev admin user pro night storm".split()
UNITS = "mg mg mg mL ml mcg g kg cm mm km m % mmHg bpm mg/dL g/dl mmol/L UI IU units UI/L mEq °C h hours min minutes days horas días dias semanas weeks months GB MB kWh Hz px ms lb oz mi ft m2 x10 puntos pts cc U/L mg/kg mg/día mg/dia".split()
DRUGS = "aspirin ibuprofen paracetamol acetaminophen amoxicillin metformin insulin atorvastatin simvastatin losartan enalapril lisinopril amlodipine omeprazole pantoprazole prednisone dexamethasone warfarin heparin enoxaparin rivaroxaban apixaban clopidogrel furosemide hydrochlorothiazide spironolactone levothyroxine albuterol salbutamol fluticasone montelukast cetirizine sertraline fluoxetine escitalopram lorazepam diazepam clonazepam gabapentin pregabalin tramadol morphine fentanyl oxycodone azithromycin ciprofloxacin doxycycline vancomycin ceftriaxone methotrexate adalimumab rituximab pembrolizumab trastuzumab tamoxifen paclitaxel cisplatin semaglutide dulaglutide empagliflozin Ozempic Humira Keytruda Eliquis Xarelto Lipitor Zoloft Prozac Tylenol Advil Ventolin Augmentin Lantus Januvia Plavix Viagra Botox Nolotil Dipirona Novalgina Ritalina Rivotril paracetamol ibuprofeno amoxicilina metformina insulina omeprazol enalapril losartana atorvastatina salbutamol prednisona heparina furosemida levotiroxina".split()
DISEASES = {
    "en": "Parkinson's disease|Parkinson's|Alzheimer's|Crohn's disease|Hodgkin lymphoma|non-Hodgkin lymphoma|Down syndrome|Wilson's disease|Graves' disease|Hashimoto's thyroiditis|Cushing's syndrome|Addison's disease|Huntington's disease|Marfan syndrome|Tourette syndrome|Lou Gehrig's disease|Guillain-Barré syndrome|Bell's palsy|Lyme disease|Kawasaki disease|Paget's disease|Turner syndrome|Raynaud's|Sjögren's syndrome|Barrett's esophagus|Meniere's disease|Kaposi sarcoma|Burkitt lymphoma|Ewing sarcoma|Wilms tumor|diabetes|type 2 diabetes|hypertension|asthma|COPD|heart failure|atrial fibrillation|pneumonia|chronic kidney disease|rheumatoid arthritis|psoriasis|migraine|depression|anxiety|breast cancer|stage 3 lung cancer|prostate cancer|leukemia|multiple sclerosis|epilepsy|stroke|sepsis|anemia|hepatitis C|HIV|COVID-19|influenza|osteoporosis|gout|lupus|cirrhosis|pancreatitis|appendicitis|GERD|DVT|pulmonary embolism|UTI|Zika virus|Ebola|West Nile virus|Spanish flu|Charcot foot|Colles fracture|Lisfranc injury|Wernicke encephalopathy|Murphy sign|Babinski reflex|Glasgow coma scale|Apgar score|Gleason score|Foley catheter|Heimlich maneuver|Hickman line|Kocher incision|Romberg test|Swan-Ganz catheter|Trendelenburg position|Whipple procedure".split("|"),
    "es": "enfermedad de Parkinson|Alzheimer|enfermedad de Crohn|linfoma de Hodgkin|síndrome de Down|enfermedad de Wilson|síndrome de Cushing|enfermedad de Addison|síndrome de Turner|enfermedad de Graves|tiroiditis de Hashimoto|síndrome de Guillain-Barré|parálisis de Bell|enfermedad de Chagas|sarcoma de Kaposi|síndrome de Sjögren|enfermedad de Paget|tumor de Wilms|síndrome de Marfan|signo de Babinski|escala de Glasgow|maniobra de Valsalva|test de Apgar|sonda Foley|técnica de Lichtenstein|clasificación de Fuhrman|bacilo de Koch|fenómeno de Raynaud|diabetes mellitus tipo 2|hipertensión arterial|asma|EPOC|insuficiencia cardiaca|fibrilación auricular|neumonía|insuficiencia renal crónica|artritis reumatoide|psoriasis|migraña|depresión|cáncer de mama|cáncer de próstata|leucemia|esclerosis múltiple|epilepsia|ictus|sepsis|anemia|hepatitis C|VIH|COVID-19|gripe|osteoporosis|gota|lupus|cirrosis|pancreatitis|apendicitis|reflujo|trombosis venosa profunda|infección urinaria|dengue|síndrome de Wolff-Parkinson-White|divertículo de Meckel|enfermedad de Peyronie|espacio de Douglas|glándula de Bartolino|triángulo de Scarpa|conducto de Wirsung|trompa de Falopio|cápsula de Bowman|asa de Henle|fascia de Gerota|fosa de Morrison".split("|"),
    "pt": "doença de Parkinson|Alzheimer|doença de Crohn|linfoma de Hodgkin|síndrome de Down|doença de Wilson|síndrome de Cushing|doença de Addison|síndrome de Turner|doença de Graves|tireoidite de Hashimoto|síndrome de Guillain-Barré|paralisia de Bell|doença de Chagas|sarcoma de Kaposi|síndrome de Sjögren|tumor de Wilms|síndrome de Marfan|escala de Glasgow|manobra de Valsalva|sonda Foley|diabetes tipo 2|hipertensão|asma|DPOC|insuficiência cardíaca|fibrilação atrial|pneumonia|doença renal crônica|artrite reumatoide|psoríase|enxaqueca|depressão|ansiedade|câncer de mama|câncer de próstata|leucemia|esclerose múltipla|epilepsia|AVC|sepse|anemia|hepatite C|HIV|COVID-19|gripe|osteoporose|gota|lúpus|cirrose|pancreatite|apendicite|refluxo|trombose|infecção urinária|dengue|zika|chikungunya|sinal de Babinski|sinal de Murphy|fenômeno de Raynaud|cancro da mama|bacilo de Koch".split("|"),
}
LABS = "hemoglobin|HbA1c|A1c|creatinine|glucose|TSH|LDL|HDL|platelets|WBC|INR|PSA|CRP|BUN|potassium|sodium|BP|SpO2|hemoglobina|creatinina|glucosa|plaquetas|leucocitos|glicemia|colesterol|triglicéridos|potasio|sódio|pressão arterial|FC|TA|ECG|MRI|CT|TAC|RMN|eGFR|ALT|AST|GGT|ferritina|vitamina D|B12".split("|")
PRODUCTS = "iPhone 15|iPhone|Galaxy S24|Windows 11|Excel|Word|PowerPoint|Photoshop|Alexa|Siri|Gmail|WhatsApp|Kindle|PlayStation 5|Xbox|Nintendo Switch|Python|JavaScript|Java|Ruby|Rust|Swift|Julia|Pascal|Ada|Claude|Gemini|Jenkins|Django|Apache|Ubuntu|Chrome|Firefox|Safari|Ford Fiesta|Toyota Corolla|Mercedes|Tesla Model 3|Dr. Pepper|Uncle Ben's|Ben & Jerry's|Jack Daniel's|Johnnie Walker|Wendy's|McDonald's|Levi's|Hugo Boss|Louis Vuitton|Lego|Harry Potter|Star Wars|The Great Gatsby|Don Quijote|Hamlet|Romeo and Juliet|Dom Casmurro|Monopoly|Oscar|Nobel Prize|Grammy|Champions League|World Cup|Super Bowl|Wimbledon|Bluetooth|Wi-Fi|USB-C|HDMI|Postgres|Kubernetes|Docker|React|Angular|Node.js|Office 365|Google Maps|Apple Pay|Netflix|Spotify|Zoom|Slack|Teams|Jira|Notion|Excel 2019|Airbus A320|Boeing 737|Bitcoin|Ethereum|Pix|Bizum|Nubank app|Mercado Libre|Uber Eats".split("|")
TITLES = {
    "en": "Dr.|Dr|Mr.|Mrs.|Ms.|Mr|Ms|Miss|Prof.|Professor|Sir|Judge|Nurse|Officer|Rev.|Capt.|Attorney|Sgt.|Father|Sister".split("|"),
    "es": "Dr.|Dra.|Sr.|Sra.|Srta.|D.|Dña.|Don|Doña|Doctor|Doctora|Prof.|Lic.|Ing.|Licenciada|el señor|la señora|Padre|Abogado|Juez".split("|"),
    "pt": "Dr.|Dra.|Sr.|Sra.|D.|Dona|Seu|Doutor|Doutora|Prof.|Profa.|Eng.|o senhor|a senhora|Desembargador|Ministro|Juiz|Relator|Padre|Enfermeira".split("|"),
}
JOBS = {
    "en": "nurse|teacher|software engineer|accountant|driver|lawyer|project manager|electrician|chef|student|cashier|plumber|designer|analyst|consultant|receptionist|pharmacist|retired|farmer|sales associate|HR manager|data scientist|mechanic|pilot|journalist".split("|"),
    "es": "enfermera|profesor|ingeniera|contable|conductor|abogada|electricista|cocinero|estudiante|cajera|fontanero|diseñadora|analista|recepcionista|farmacéutica|jubilado|agricultor|comercial|mecánico|periodista|ama de casa|albañil|administrativo".split("|"),
    "pt": "enfermeira|professor|engenheira|contador|motorista|advogada|eletricista|cozinheiro|estudante|caixa|encanador|designer|analista|recepcionista|farmacêutica|aposentado|agricultor|vendedora|mecânico|jornalista|dona de casa|pedreiro|auxiliar administrativo".split("|"),
}
RELATIVES = {
    "en": "mother|father|brother|sister|husband|wife|son|daughter|partner|uncle|aunt|boss|neighbor|friend|cousin|landlord|roommate|grandmother|colleague|stepson|ex-wife|fiancé|teacher|carer|mum|dad".split("|"),
    "es": "madre|padre|hermano|hermana|marido|mujer|esposa|hijo|hija|pareja|tío|tía|jefe|vecina|amiga|primo|abuela|compañero|suegra|cuñado|novio|cuidadora|profesora".split("|"),
    "pt": "mãe|pai|irmão|irmã|marido|esposa|filho|filha|companheiro|tio|tia|chefe|vizinha|amiga|primo|avó|colega|sogra|cunhado|namorado|cuidadora|professora".split("|"),
}
SPECIALTIES = {
    "en": "cardiology|oncology|pediatrics|neurology|dermatology|orthopedics|radiology|psychiatry|urology|the ER|ICU|primary care|gastroenterology|endocrinology|the surgery ward".split("|"),
    "es": "cardiología|oncología|pediatría|neurología|dermatología|traumatología|radiología|psiquiatría|urología|urgencias|UCI|atención primaria|digestivo|endocrinología|cirugía general".split("|"),
    "pt": "cardiologia|oncologia|pediatria|neurologia|dermatologia|ortopedia|radiologia|psiquiatria|urologia|emergência|UTI|clínica geral|gastroenterologia|endocrinologia|cirurgia geral".split("|"),
}
PROCEDURES = {
    "en": "colonoscopy|MRI|knee replacement|appendectomy|chemotherapy|dialysis|CT scan|biopsy|echocardiogram|cataract surgery|physical therapy|vaccination|blood work|hysterectomy|angioplasty|follow-up|root canal".split("|"),
    "es": "colonoscopia|resonancia|prótesis de rodilla|apendicectomía|quimioterapia|diálisis|TAC|biopsia|ecocardiograma|cirugía de cataratas|rehabilitación|vacunación|analítica|histerectomía|angioplastia|revisión|nefrectomía".split("|"),
    "pt": "colonoscopia|ressonância|artroplastia de joelho|apendicectomia|quimioterapia|diálise|tomografia|biópsia|ecocardiograma|cirurgia de catarata|fisioterapia|vacinação|hemograma|histerectomia|angioplastia|retorno|endoscopia".split("|"),
}
WHEN = {
    "en": "today|yesterday|tomorrow|last week|next Monday|two weeks ago|this morning|at noon|in 3 days|last year|tonight|next month|every day|for 10 days|twice a week|over the weekend|asap|at 9am|in the 1990s|in spring".split("|"),
    "es": "hoy|ayer|mañana|la semana pasada|el próximo lunes|hace dos semanas|esta mañana|a mediodía|en 3 días|el año pasado|esta noche|el mes que viene|cada 8 horas|durante 10 días|dos veces por semana|el fin de semana|cuanto antes|a las 9|en los años 90|en primavera".split("|"),
    "pt": "hoje|ontem|amanhã|na semana passada|na próxima segunda|há duas semanas|hoje cedo|ao meio-dia|em 3 dias|no ano passado|à noite|no mês que vem|a cada 8 horas|por 10 dias|duas vezes por semana|no fim de semana|o quanto antes|às 9h|nos anos 90|na primavera".split("|"),
}
TOPICS = {
    "en": "the invoice|my order|a refund|the contract|the password reset|my prescription|the lab results|the lease|the meeting notes|travel insurance|the tax return|a job application|the school trip|the budget|the server outage|payroll|our appointment|the delivery|the warranty|a visa application|the mortgage|the new policy".split("|"),
    "es": "la factura|mi pedido|una devolución|el contrato|el cambio de contraseña|mi receta|los resultados|el alquiler|el acta de la reunión|el seguro de viaje|la declaración de la renta|una solicitud de empleo|la excursión|el presupuesto|la caída del servidor|la nómina|nuestra cita|el envío|la garantía|el visado|la hipoteca|la nueva norma".split("|"),
    "pt": "a fatura|meu pedido|um reembolso|o contrato|a troca de senha|minha receita|os resultados|o aluguel|a ata da reunião|o seguro viagem|o imposto de renda|uma vaga de emprego|a excursão|o orçamento|a queda do servidor|a folha de pagamento|nossa consulta|a entrega|a garantia|o visto|o financiamento|a nova regra".split("|"),
}
HELLOS = {
    "en": "Hi|Hello|Hey|Dear|Good morning|hi|hey|Good afternoon|Thanks|Morning".split("|"),
    "es": "Hola|Buenas|Buenos días|Estimado|Estimada|Querida|hola|Buenas tardes|Gracias|Oye".split("|"),
    "pt": "Oi|Olá|Bom dia|Prezado|Prezada|Caro|oi|Boa tarde|Obrigada|E aí".split("|"),
}
BYES = {
    "en": "Best regards|Sincerely|Thanks|Cheers|Kind regards|Yours truly|Best|Regards|Warmly|Respectfully".split("|"),
    "es": "Un saludo|Atentamente|Gracias|Saludos|Cordialmente|Un abrazo|Saludos cordiales|Fdo.|Firmado".split("|"),
    "pt": "Atenciosamente|Obrigado|Abraços|Cordialmente|Um abraço|Att|Saudações|Grato|Ass.".split("|"),
}
LAWS = {
    "en": "section 12 of the Act|Title IX|Article 5|Rule 26(b)|the Civil Rights Act of 1964|HIPAA|GDPR|Form W-2|Form 1040|Regulation 2016/679|ISO 27001|chapter 7|clause 4.2|RFC 2616|the Sarbanes-Oxley Act|Miranda rights|Roe v. Wade".split("|"),
    "es": "artículo 24 de la Constitución|Ley 39/2015|Ley Orgánica 3/2018|Real Decreto 1720/2007|artículo 12.3|el Código Civil|RGPD|modelo 303|la disposición adicional|cláusula 5ª|Reglamento (UE) 2016/679|apartado 4|STS 123/2019|Ley de Amparo|NOM-004-SSA3".split("|"),
    "pt": "art. 5º da Constituição|Lei nº 8.112/90|Lei 13.709/2018|LGPD|art. 485, inciso II, do CPC|Código de Processo Civil|Súmula 331 do TST|Decreto-Lei n.º 2.848/40|cláusula 3ª|Resolução nº 414/2010|artigo 12|§ 2º do art. 240|Lei Maria da Penha|Código Civil|IN RFB 1.500".split("|"),
}
SEXES = {
    "en": "male|female|man|woman|M|F|boy|girl|patient".split("|"),
    "es": "varón|mujer|hombre|H|M|paciente|niño|niña".split("|"),
    "pt": "masculino|feminino|homem|mulher|M|F|paciente|menino|menina".split("|"),
}
NATIONALITIES = {
    "en": "American|British|Spanish|Mexican|German|French|Brazilian|Indian|Chinese|English|Latino|European|Asian|African".split("|"),
    "es": "español|mexicana|argentino|alemán|francesa|brasileño|inglés|chilena|europeo|colombiano|chino|latina".split("|"),
    "pt": "brasileiro|portuguesa|argentino|alemão|francesa|espanhol|inglês|americana|europeu|japonês|chinês|italiana".split("|"),
}
THING_CODES = "404|500|0x80070057|E####|ERR_####|ISO ####|RFC ####|A#|B##|Q#|Q# 20##|#.#|L##.#|E##.#|J##|ICD-10 A##.#|COVID-19|HTTP #0#|line ###|page ##|p. ###|ch. #|#-#|##:##|##/##|CVE-20##-####|PR ###|build ####|port ####|#### rpm|##th|T#N#M#|L#-L#|C#-C#|#x#|#,###|##%|NYHA II|grade #|stage #|level #|step #|KB#######|Model AA-###|EN ####|SKU-###|fl. ##|T####".split("|")
ABROAD_HOMES = "fr_FR de_DE it_IT nl_NL pl_PL sv_SE tr_TR cs_CZ da_DK fi_FI hu_HU ro_RO hr_HR".split()
STREETS_ABROAD = (
    "{n} rue {first} {last}|{n}, rue de {city}|rue du {last} {n}|{n} avenue {last}|{n} bis, boulevard {first} {last}|{n} place {last}|"
    "{last}straße {n}|{last}str. {n}|Am {last}platz {n}|{last}weg {n}|{last}gasse {n}|{first}-{last}-Straße {n}|"
    "Via {first} {last} {n}|Via {last}, {n}|Piazza {last} {n}|Corso {city} {n}|Viale {last} {n}/A|"
    "{last}straat {n}|{last}laan {n}|{last}plein {n}|{first} {last}straat {n}|{n} {low}plaats|"
    "ul. {last} {n}|ul. {first} {last} {n}/4|al. {last} {n}|{last}gatan {n}|{last}vägen {n}|{last}gade {n}|{last}vej {n}|{last}katu {n}|"
    "{last} utca {n}.|Str. {last} nr. {n}|{last} Sokak No:{n}|{last} Cad. {n}|{last} ulica {n}|{last}ova {n}|{n} {first} {last}|{n} {low} {n}|Flat {n}, {last} Road, {city}|"
    "Plot {n}, {last} Nagar|House No. {n}, Sector {n}|{n}/B {last} Colony|{n} Jalan {last}|Jl. {last} No. {n}|Level {n}, {n} {last} Street"
).split("|")

"""Words the guard's training pairs are made of: what may be swapped without changing a question, and what may not.

All written for this file. A row of SAME holds spellings of one meaning; a row of OTHER holds things of one kind, each
of which has another answer.
"""

from __future__ import annotations


def table(text: str) -> list[list[str]]:
    return [[item.strip() for item in line.split(",")] for line in text.strip().splitlines()]


SAME: list[list[str]] = table("""
buy, purchase
begin, start
fix, repair
quickly, fast, rapidly
best, top
help, assist
reason, cause
tips, advice, suggestions
cheap, inexpensive, affordable
kids, children
phone, cell phone, mobile phone
doctor, physician
picture, photo, image
remove, delete, get rid of
prevent, avoid
important, significant
happen, occur
hard, difficult
easy, simple
choose, select, pick
main, primary
salary, pay
smart, intelligent
rich, wealthy
fat, overweight
scared, afraid
usa, united states, us, america
uk, united kingdom, great britain
ai, artificial intelligence
movie, film
car, automobile
company, firm
job, employment
house, home
university, college
difference, distinction
effects, consequences
benefits, advantages
drawbacks, disadvantages, downsides
way, method
ways, methods
teach, instruct
earn, make
reduce, decrease, lower
increase, raise
get, obtain
big, large
small, little
bike, bicycle
tv, television
app, application
laptop, notebook computer
maths, mathematics, math
exam, test
stomach, belly
drug, medication, medicine
person, individual, human being
people, humans
woman, lady
sick, ill
trip, journey
vacation, holiday
error, mistake
answer, respond to
ask, inquire
connect, link
create, make
famous, well known
biggest, largest
rapid, quick
needed, required, necessary
allowed, permitted
located, situated
old, elderly
learn, study
lawyer, attorney
store, shop
street, road
delivered, shipped
transaction, payment
verify, confirm
cancel, call off
currently, right now, at the moment
cost, price
password, passcode
deposit, put money in
transfer, send
error message, warning message
tell, say
talk, speak
author, writer
king, monarch
planet earth, the earth
speed, velocity
weight, mass
plant, vegetation
""")

OTHER: list[list[str]] = table("""
india, china, japan, canada, germany, france, brazil, mexico, russia, australia, italy, spain, pakistan, nigeria, the us, the uk
mumbai, delhi, bangalore, london, paris, new york, tokyo, chicago, boston, seattle, toronto, sydney, berlin, madrid, lisbon
texas, california, florida, ohio, georgia, alabama, oregon, nevada, kansas, utah, virginia, montana
google, amazon, microsoft, apple, facebook, netflix, tesla, ibm, oracle, intel, samsung, uber, twitter
gmail, outlook, yahoo mail, instagram, snapchat, whatsapp, facebook, linkedin, youtube, skype, telegram
python, java, javascript, ruby, php, swift, rust, go, kotlin, matlab, sql
english, spanish, french, german, japanese, mandarin, arabic, hindi, portuguese, korean
iphone, android, ipad, macbook, windows 10, linux, chromebook, xbox, playstation
dog, cat, rabbit, horse, parrot, hamster, turtle, goldfish, puppy, kitten
apples, bananas, eggs, rice, milk, coffee, green tea, honey, garlic, chocolate, avocado
engineering, medicine, law, economics, physics, chemistry, biology, history, psychology, accounting
football, basketball, tennis, cricket, chess, golf, swimming, boxing, yoga, baseball
guitar, piano, violin, drums, flute, ukulele
diabetes, asthma, cancer, depression, anxiety, migraine, insomnia, acne, flu, arthritis
back, knee, shoulder, neck, ankle, wrist, hip, elbow
monday, tuesday, wednesday, thursday, friday, saturday, sunday
january, february, march, april, may, june, july, august, september, october, november, december
mother, father, brother, sister, wife, husband, son, daughter, girlfriend, boyfriend, boss
men, women, teenagers, beginners, seniors, students, adults, children
morning, evening, night, afternoon
summer, winter, spring, autumn
red, blue, green, yellow, white, black, purple
north, south, east, west
breakfast, lunch, dinner
mars, venus, jupiter, saturn, mercury, neptune, the moon, the sun
gold, silver, copper, iron, aluminum, lead
oxygen, hydrogen, nitrogen, carbon dioxide, helium
dollars, euros, pounds, yen, rupees, pesos
visa, passport, driver license, work permit, green card
resume, cover letter, essay, thesis, speech, novel, poem
bitcoin, stocks, bonds, real estate, mutual funds, ethereum
debit card, credit card, gift card, virtual card
heart, liver, kidney, lung, brain, stomach
mountain, river, lake, desert, island, ocean
president, prime minister, governor, mayor, senator, king
inventor, owner, founder, ceo, winner, author, director
gre, gmat, sat, ielts, toefl, cat exam, bar exam
war, election, revolution, treaty, recession
length, width, height, depth, weight, area, volume
protons, electrons, neutrons, atoms, molecules, ions
""")

OPPOSITE: list[list[str]] = table("""
best, worst
more, less
most, least
increase, decrease
gain, lose
buy, sell
open, close
before, after
with, without
start, stop
add, remove
upload, download
enable, disable
install, uninstall
import, export
highest, lowest
longest, shortest
fastest, slowest
oldest, youngest
largest, smallest
cheapest, most expensive
first, last
good, bad
safe, dangerous
legal, illegal
possible, impossible
hot, cold
left, right
win, lose
borrow, lend
teach, learn
advantages, disadvantages
pros, cons
causes, effects
symptoms, treatments
strengths, weaknesses
deposit, withdraw
encrypt, decrypt
follow, unfollow
block, unblock
send, receive
accept, reject
maximum, minimum
above, below
inside, outside
public, private
male, female
love, hate
freeze, melt
ask for, refuse
break, fix
pass, fail
activate, deactivate
top up, withdraw from
""")

FLUFF: list[str] = [
    "please", "exactly", "actually", "really", "in general", "basically", "in simple terms", "in detail",
]  # fmt: skip

OPENERS: list[str] = [
    "can you tell me", "could you tell me", "i want to know", "please tell me", "hi,", "hello,", "quick question:",
    "does anyone know", "i was wondering", "can someone explain", "can anyone tell me", "do you know", "i'd like to know",
]  # fmt: skip

CONSTRAINTS: list[str] = [
    "in india", "in the us", "in germany", "in 2015", "in 2017", "in the 19th century", "for beginners", "for kids", "for women",
    "for free", "at home", "at night", "online", "on android", "on a mac", "in python", "in winter", "in summer", "without surgery",
    "without a degree", "without money", "without pain", "after marriage", "after 40", "after pregnancy", "before an exam",
    "in a week", "in 10 days", "in a month", "with a low budget", "under 500 dollars", "under 20000", "with my phone", "from abroad",
    "while pregnant", "at work", "in the morning", "on weekends", "by myself", "as a student", "for small businesses",
    "using excel", "with a virtual card", "in another currency", "for a friend", "near london", "in new york", "in the military",
    "during the war", "by email", "on mars", "in water", "in a vacuum", "in cold weather", "on a plane", "in high school",
]  # fmt: skip

ASPECTS: list[list[str]] = [
    ["what is {x}", "what's {x}", "what exactly is {x}", "can you explain what {x} is", "what does {x} mean", "define {x}", "what is meant by {x}"],
    ["how does {x} work", "what is the working principle of {x}", "can you explain how {x} works", "in what way does {x} work"],
    ["who invented {x}", "who is the inventor of {x}", "which person invented {x}", "who came up with {x}"],
    ["what are the advantages of {x}", "what are the benefits of {x}", "what is good about {x}", "what are the pros of {x}", "why is {x} good"],
    ["what are the disadvantages of {x}", "what are the drawbacks of {x}", "what are the downsides of {x}", "what is bad about {x}", "what are the cons of {x}"],
    ["how much does {x} cost", "what is the price of {x}", "what does {x} cost", "how expensive is {x}", "what is the cost of {x}"],
    ["how can i learn {x}", "what is the best way to learn {x}", "how do i learn {x}", "how should i study {x}", "what's the best way of learning {x}", "how to learn {x}"],
    ["where can i buy {x}", "where can i get {x}", "where can i purchase {x}", "which place sells {x}", "what store sells {x}"],
    ["what is the history of {x}", "how did {x} come about", "how did {x} originate", "what is the origin of {x}", "where does {x} come from"],
    ["why is {x} important", "what is the importance of {x}", "why does {x} matter", "what makes {x} important", "what is the significance of {x}"],
    ["what is the best book on {x}", "which book is best for {x}", "what are some good books about {x}", "which are the best books on {x}", "can you recommend a book on {x}"],
    ["is {x} dangerous", "is {x} harmful", "can {x} be dangerous", "is there any danger in {x}"],
    ["what are the side effects of {x}", "does {x} have any side effects", "which side effects does {x} have", "are there side effects to {x}"],
    ["what are some examples of {x}", "can you give examples of {x}", "what is an example of {x}", "give me examples of {x}"],
    ["how long does {x} take", "how much time does {x} take", "what is the duration of {x}", "how long is {x}"],
    ["what do you think about {x}", "what is your opinion on {x}", "what are your thoughts on {x}", "how do you feel about {x}"],
    ["what is the future of {x}", "what does the future hold for {x}", "how will {x} look in the future", "where is {x} heading"],
    ["what are the types of {x}", "how many types of {x} are there", "what kinds of {x} exist", "what are the different kinds of {x}"],
    ["what is the salary in {x}", "how much do people in {x} earn", "what does a job in {x} pay", "how much can i earn in {x}"],
    ["how do i start a career in {x}", "how can i get a job in {x}", "how do i get into {x}", "what should i do to work in {x}"],
    ["what is the difference between {x} and {y}", "how is {x} different from {y}", "how does {x} differ from {y}", "what's the difference between {y} and {x}", "{x} vs {y}: what is the difference"],
    ["is {x} better than {y}", "which is better, {x} or {y}", "should i choose {x} or {y}", "what is better: {x} or {y}"],
    ["how do i convert {x} to {y}", "how can i change {x} into {y}", "what is the way to turn {x} into {y}", "how to convert {x} into {y}"],
    ["how do i move from {x} to {y}", "what is the best way to switch from {x} to {y}", "how can i go from {x} to {y}"],
    ["why do people hate {x}", "why do so many people dislike {x}", "what is the reason people hate {x}", "why is {x} hated"],
    ["why do people like {x}", "why is {x} so popular", "what makes {x} popular", "why do so many people love {x}"],
    ["what is the capital of {x}", "which city is the capital of {x}", "what's the capital city of {x}"],
    ["what are the symptoms of {x}", "how do i know if i have {x}", "what signs does {x} have", "what are the signs of {x}"],
    ["how is {x} treated", "what is the treatment for {x}", "how do you treat {x}", "what can be done against {x}", "how can {x} be cured"],
    ["what causes {x}", "what is the cause of {x}", "why does {x} happen", "what are the reasons for {x}", "how does {x} occur"],
]  # fmt: skip

COMPARING: range = range(20, 24)
"""Rows of ASPECTS that name two things; the first two alone read the same either way round."""
SYMMETRIC: tuple[int, ...] = (20, 21)

ACTIONS: list[str] = [
    line.strip()
    for line in """
lose weight; gain weight; gain muscle; quit smoking; stop drinking; sleep better; wake up early; improve my english; learn to code
improve my memory; stop procrastinating; make money online; save money; invest in stocks; buy a house; rent an apartment
sell my car; fix my car; change a tire; clean my laptop; speed up my computer; reset my password; change my password
recover deleted photos; recover deleted messages; delete my account; create an account; open a bank account; close my bank account
transfer money abroad; activate my card; block my card; order a new card; dispute a charge; get a refund; cancel my subscription
cancel my flight; book a flight; find cheap flights; get a visa; renew my passport; apply for a passport; apply for a job
prepare for an interview; write a resume; write a cover letter; quit my job; ask for a raise; get promoted; start a business
start a blog; grow a youtube channel; get more followers; lose followers; hack an account; protect my account; unlock my phone
root my phone; back up my phone; transfer photos to a computer; print a document; scan a document; merge two files; split a file
convert a video; edit a video; download a video; upload a video; install an app; uninstall an app; connect a printer
connect to wifi; share my wifi; hide my location; share my location; bake bread; cook rice; boil eggs; fry eggs; freeze eggs
make coffee; make tea; grow tomatoes; water plants; train a dog; adopt a dog; feed a cat; bathe a cat; treat a cold
treat a burn; remove a stain; remove a tattoo; get a tattoo; whiten my teeth; fix my teeth; grow my hair; dye my hair; cut my hair
get rid of acne; get rid of ants; get rid of mice; get over a breakup; get a girlfriend; ask someone out; make friends
be happy; be more confident; control anger; reduce stress; deal with anxiety; meditate; run faster; run a marathon
learn to swim; learn to drive; get a license; pass an exam; study for an exam; study abroad; get a scholarship; pay student loans
pay taxes; file taxes; lower my taxes; raise my credit score; check my credit score; get a loan; pay off debt; calculate interest
calculate the area of a circle; solve a quadratic equation; draw a face; write a poem; write a novel; publish a book
read faster; speak in public; learn french; learn the guitar; sing better; dance; take better photos; build a website; build a robot
sort a list; reverse a string; read a file; write to a file; parse json; connect to a database; drop a table; merge branches
undo a commit; delete a branch; deploy an app; test an api; call an api; sue someone; become a lawyer; become a doctor; become a pilot
""".replace("\n", ";").split(";")
    if line.strip()
]

DOING: list[list[str]] = [
    ["how do i {x}", "how can i {x}", "how to {x}", "how should i {x}", "how would i {x}", "how do you {x}", "how does one {x}", "how can you {x}",
     "what is the best way to {x}", "what's the best way to {x}", "what is the way to {x}", "what are the steps to {x}",
     "what are some ways to {x}", "what should i do to {x}", "what do i need to do to {x}", "steps to {x}", "any tips on how to {x}",
     "i want to {x}, how do i do it", "is there a good way to {x}", "best way to {x}", "which is the best method to {x}"],
    ["why should i {x}", "what is the reason to {x}", "why would anyone {x}", "why do people {x}", "what is the point of wanting to {x}"],
    ["should i {x}", "is it a good idea to {x}", "do you think i should {x}", "is it worth it to {x}"],
    ["how long does it take to {x}", "how much time do i need to {x}", "how much time does it take to {x}", "in what time can i {x}"],
    ["how much does it cost to {x}", "what is the cost to {x}", "how much money do i need to {x}", "how expensive is it to {x}"],
    ["where can i {x}", "what is a good place to {x}", "which place is best to {x}", "where should i go to {x}"],
    ["is it possible to {x}", "can i {x}", "can you {x}", "is there a way to {x}", "am i able to {x}"],
    ["is it legal to {x}", "is it allowed to {x}", "am i allowed to {x}", "does the law allow me to {x}"],
    ["when should i {x}", "what is the best time to {x}", "when is the right time to {x}", "what time is best to {x}"],
    ["why can't i {x}", "what stops me from being able to {x}", "why am i not able to {x}", "why am i unable to {x}"],
    ["how do i not {x}", "how can i avoid having to {x}", "what can i do so as not to {x}"],
    ["what happens if i {x}", "what will happen when i {x}", "what are the consequences if i {x}"],
    ["what app can i use to {x}", "which app is best to {x}", "is there an app to {x}", "what is the best app to {x}"],
]  # fmt: skip

"""The words and the clause rules from which `cman.corpora.samples.conll04` builds the sentences of `conll04-sample`.

Their notation is explained in `cman.corpora.samples.grammar`.
"""

GRAMMAR = """
sentence:
    14* #core .
    8* #opener #core .
    6* #core #tail .
    2* #opener #core #tail .
    2* #core , and #core .
    #opener #core , and #core ; #tellcore , but #core #tail .
    2* `` #quote , '' said @person1 , #role(person1) .
    2* `` #quote , '' @surname told @org , but #core .
    2* @dateline1 , @region1 ( @agency ) -- #core . | Located_In dateline1 region1

core:
    8* #personcore / 6* #orgcore / 5* #placecore / 4* #killcore / 1* #tellcore

personcore:
    3* @person1 #pmod(person1) #does(person1)
    @person1 #pmod(person1) #does(person1) and #does(person1)
    2* @person1 #pmod(person1) #idle #but #does(person1)
    2* @person1 , who #idle , #does(person1)
    @person1 , who #idle and later #idle , #does(person1) #pp
    @person1 and @person2 #does(person1+person2)
    @person1 , @person2 and @person3 #lives(person1+person2+person3) @place1 | Live_In person1+person2+person3 place1
    neither @person nor @surname #idle , but @person1 #does(person1)
    @person , unlike @person1 , who #does(person1) , #idle
    @person1 and @person2 of @org1 #live(person1+person2) | Work_For person1+person2 org1
    2* @org1 #job @person1 #idle | Work_For person1 org1
    2* @place1 native @person1 #idle | Live_In person1 place1
    the #adj #job from @place1 , @person1 , #idle | Live_In person1 place1
    in @place1 , where @person1 was born , @person #idle | Live_In person1 place1
    @org1 , which had hired @person1 #time , sued @person | Work_For person1 org1
    @org1 #yes appoint @person1 , and not @person , as its #job | Work_For person1 org1
    @place1 , long the home of @person1 , gave a #noun to @person | Live_In person1 place1
    present were @person1 of @org1 and @person2 of @place1 | Work_For person1 org1 ; Live_In person2 place1
    @person1 , not @person , #does(person1)

orgcore:
    2* @org1 #omod #based(org1)
    @org1 , which @person had #never praised , #based(org1)
    @org1 and @org2 #based(org1+org2)
    @org1 , @org2 and @org3 are all based in @place1 | OrgBased_In org1+org2+org3 place1
    3* the @place1 - based @org1 #deal | OrgBased_In org1 place1
    the head office of @org1 in @place1 #event | OrgBased_In org1 place1
    2* @place1 has been the seat of @org1 , a rival of @org , #time | OrgBased_In org1 place1
    2* @org1 of @place1 #deal | OrgBased_In org1 place1
    @person1 , who #works(person1) @org1 in @place1 , #idle | Work_For person1 org1 ; OrgBased_In org1 place1
    from its #adj offices in @place1 , @org1 #deal | OrgBased_In org1 place1
    @org1 , with its main #noun in @place1 and a small one in @place , #deal | OrgBased_In org1 place1
    unlike @org , which only has a branch in @place , @org1 #based(org1)

placecore:
    2* the #noun began in @city1 , @region1 , #pp | Located_In city1 region1
    2* @place1 , a #adj town in #side @region1 , #event | Located_In place1 region1
    2* @person #idle #pp in @city1 , @region1 | Located_In city1 region1
    the #noun reached @place , @place1 and @place2 , all but the first in @region1 | Located_In place1+place2 region1
    2* @region1 and its largest city , @city1 , #event | Located_In city1 region1
    @region1 sent a #noun to @place1 , its #adj harbour , but not to @place in @region | Located_In place1 region1
    @city1 and @city2 in #side @region1 #event | Located_In city1+city2 region1
    between @place and @place , near @city1 in @region1 , a #noun #happened | Located_In city1 region1
    @person1 #lives(person1) @city1 , @region1 | Live_In person1 city1+region1 ; Located_In city1 region1
    @org1 is based in @city1 , @region1 | OrgBased_In org1 city1+region1 ; Located_In city1 region1

killcore:
    2* @person1 #pmod(person1) #kill(person1)
    @person1 #idle and #kill(person1)
    2* @person1 was #killed by @person2 #pp | Kill person2 person1
    @person1 #pmod(person1) was #killed #pp by @person2 , who #idle | Kill person2 person1
    @person1 , who knew @person , was #killed , and police arrested @person2 , who confessed | Kill person2 person1
    the #murder of @person1 by @person2 shocked @place | Kill person2 person1
    @person , who was wounded when @person1 #killed @person2 , #idle | Kill person1 person2
    @person1 was convicted of the #murder of @person2 and cleared of that of @person | Kill person1 person2
    police in @place say that @person1 , and not @surname , #killed @person2 | Kill person1 person2
    @surname saw @person1 , the man who #killed @person2 , in @place | Kill person1 person2

tellcore:
    @person told @org that @person1 #does(person1)
    @surname denied that @person had #never worked for @org but said that @person1 #does(person1)
    the #noun of @person1 , #role(person1) , #event
    a #noun by @org found that @person #idle and that @person1 #does(person1)

does($):
    5* #live($) / 5* #work($) / 2* #kill($)

live($):
    4* #lives($) @place1 | Live_In $ place1
    2* #yes #settle @place1 | Live_In $ place1
    #yes #settle @place1 rather than @place | Live_In $ place1
    left @place and #lives($) @place1 | Live_In $ place1
    returned to a #noun in @place1 after a visit to @place | Live_In $ place1
    #lives($) @city1 , @region1 | Live_In $ city1+region1 ; Located_In city1 region1
    told @person about a childhood in @place1 | Live_In $ place1
    had a house in @place1 and an aunt in @place | Live_In $ place1
lives($):
    2* lived in / was born in / grew up in / made #poss($) home in / spent #poss($) youth in / lived for years in
    raised #poss($) children near / had long been at home in
settle:
    3* move to / 2* settle in / take a house in / stay for good in / buy a home in

work($):
    4* #works($) @org1 | Work_For $ org1
    2* #yes #join @org1 | Work_For $ org1
    turned down @org and #works($) @org1 | Work_For $ org1
    #yes #join @org1 instead of @org | Work_For $ org1
    #works($) @org1 , based in @place1 , | Work_For $ org1 ; OrgBased_In org1 place1
    criticised @org as a #job of @org1 | Work_For $ org1
    was made #job of @org1 when it bought @org | Work_For $ org1
works($):
    2* worked for / ran / spoke for / was #job of / served as #job of / became the #adj #job at
    headed the #noun department of / was on the payroll of
join:
    3* join / work for / take a job with / become #job of / lead

kill($):
    3* #killed @person1 | Kill $ person1
    #killed @person1 and @person2 | Kill $ person1+person2
    #killed @person1 but spared @person | Kill $ person1
    wounded @person and then #killed @person1 | Kill $ person1
    #yes kill @person1 #pp | Kill $ person1
    confessed to the #murder of @person1 | Kill $ person1

based($):
    3* #sits($) @place1 | OrgBased_In $ place1
    #sits($) @city1 , @region1 | OrgBased_In $ city1+region1 ; Located_In city1 region1
    opened a branch in @place but #sits($) @place1 | OrgBased_In $ place1
    #yes move its head office to @place1 | OrgBased_In $ place1
    hired @person1 #time and #sits($) @place1 | OrgBased_In $ place1 ; Work_For person1 $
sits($):
    2* is based in / has its headquarters in / keeps its main offices in / was founded in / operates out of

yes:
    3* went on to / 2* agreed to / managed to / did indeed / was happy to / did not hesitate to
no:
    3* did not / 2* refused to / had hoped to / declined to / was not allowed to / failed to / was in no hurry to
but:
    2* but / 2* and / before he / and later / although she

idle:
    2* visited @place / 2* met @person / 2* #no #settle @place / 2* #no #join @org / #no kill @person
    #no kill @person , a #job / met @person in @place / wrote to @org #time / sued @org / admired @surname
    flew from @place to @place / drove through @place on the way to @place / turned down a job with @org
    threatened to kill @person / was never a resident of @place / was acquitted of killing @person
    gave a #noun to the @nation #noun / remembered the @event / survived the @event #pp / praised the #noun of @person
    lectured at @org on @date / was arrested in @place #pp / bought #number shares in @org / asked @surname about @place
    4* spoke about #topic / 2* was silent about #topic / 2* knew #topic / compared #topic with #topic
    wrote @work / was seen in @work / lost the @nation #noun to @surname / shot a #adj film in @place
    ran for mayor of @place

topic:
    3* @surname / 2* @place / 3* @org / @event / @work / @surname , a #job , / @org , a #adj company ,
    @place , a #adj port , / @work , a #adj song , / #topic and #topic
    the Parliament / the Church / Christmas / the Internet / Congress

pmod($):
    10* _ / , a critic of @org , / , #age , / , a friend of @person , / , who once visited @place ,
    , speaking in @place , / , a @nation #job ,
    , #role($) ,
    of @place1 | Live_In $ place1
role($):
    3* #job of @org1 | Work_For $ org1
    the #adj #job of @org1 | Work_For $ org1
    a @nation #job at @org1 | Work_For $ org1
    #job of @org1 and a native of @place1 | Work_For $ org1 ; Live_In $ place1
    a #job from @place1 | Live_In $ place1
    a lifelong resident of @place1 | Live_In $ place1
omod:
    4* _ / , a rival of @org , / , which @person #never led #pp , / , known for the @event , / , sold to @org #time ,
deal:
    #deals @org / #deals @org #pp / did not #join @org / opened a #noun in @place / thanked #topic for the #noun
    sold #number of its #adj lakes and mills
deals:
    bought / sued / signed a #noun with / merged with

event:
    2* #happened #pp / was visited by @person #time / was named after @surname , a @nation #job / remembers the @event
    surprised #topic / inspired @work / was sold to @org / had #number visitors #time
happened:
    burned down / was closed / drew a #adj crowd / ended without a #noun / came under #adj criticism

opener:
    4* #time , / 3* #pp , / while @person #idle , / when @person #idle , / according to a #noun in @org ,
    according to @surname , / unlike @person , who #idle , / a day after @person #idle ,
    in a letter to @person of @date , / with @org in trouble and @place under water ,
tail:
    , @surname said #time / , officials of @org said / , although the #noun #happened / 2* , but @person #idle / 3* #pp
    #pp #pp / , while @person #idle and @person #idle / , a #noun told @org / , the first #noun since the @event
    , who had #never heard of #topic
quote:
    we #never saw the #noun , and the #noun was #adj / @person #idle , but the #noun #happened
    the #noun of @place is a #adj one / nobody from @org asked us about the #noun #pp
    #topic and the #noun are #adj / I #never met @surname , and @place is far from here

pp:
    2* on @date / 2* in @year / 2* during the @event / 2* with a #adj #noun / on the way to @place
    near the #noun of a #adj lake / between @place and @place / despite the #adj #noun #pp
    before a #adj audience in @place / at a #noun in @place #pp
    in front of the #noun / after a quarrel with @person / against the advice of @org / by order of the @nation #noun
    together with #number @nation tourists / because of #topic / along with #topic
time:
    2* on @date / in @year / last #weekday / #number years ago / in the #adj spring / early on #weekday
    that #adj night / after the @event
"""

# A surname, a town and a company may all be one bare stem, so that only the context tells them apart.
NAMES = """
stem:
    2* {known_stem} / 3* {fresh_stem}
surname:
    12* {stem} / 4* {stem}{sonof} / 2* {stem}{townlike} / {stem}-{stem} / 2* {titled_noun}
first:
    3* {given} / {fresh_stem}
person:
    10* {first} {surname} / 5* {surname} / 3* {first} {initial}. {surname} / {first} {particle} {surname}
    {first} {surname} Jr. / {first} {given} {surname}
city:
    11* {stem} / 4* {stem}{townlike} / 2* {before_town} {stem} / 2* {stem} {after_town} / 2* {titled}
region:
    4* {country} / 4* {republic} / {stem} / {stem}ia / {stem}land / {stem} {district}
place:
    7* {city} / 2* {region} / {before_nature} {stem}
org:
    6* {stem} {company} / 3* {stem} / 2* {agency} / 2* University of {city} / Bank of {region}
    2* {office} of {field} / {surname} & {surname} / 2* {surname} and {surname} / 2* {titled} / {city} State University
    {city} City Council / {city} {company} / {stem} Party
work:
    The {titled} / {titled} / {titled_noun} of {city} / {stem} and {stem}
agency:
    {known_agency}
nation:
    4* {republic}n / 2* {country}er / 2* {stem}ish / {stem}ese
titled:
    {fame} {noun}
titled_noun:
    {noun}
event:
    Battle of {city} / 2* {stem} {occasion} / {anno} {region} {occasion}
date:
    {month} {day} , {anno} / {month} {day}
fresh_stem:
    7* {onset}{vowel}{onset}{vowel}{coda} / 3* {onset}{vowel}{onset}{vowel}{onset}{vowel}{coda}
coda:
    2* _ / n / r / l / s / m / nd / rt / lm / ck
year:
    {month} {anno} / {anno}
anno:
    19{digit}{digit}
acronym:
    {initial}{initial}{initial}
"""

# Each list is also a rule, whose alternatives are its words.
WORDS = {
    name: listed.split()
    for name, listed in {
        "job": """president chairman spokesman director professor senator reporter lawyer engineer secretary manager
        coach judge editor governor inspector pilot treasurer nurse economist chemist officer adviser clerk
        ambassador""",
        "noun": """river bank university report prize union county institute herald speech letter bridge strike museum
        lake party railway harbour hospital market committee mint garden contract theatre team mill press factory
        airport painting ministry court army club treaty battle cup record medal budget mine school church tower
        island village""",
        "adj": """new small old famous quiet national western modern long northern secret bitter public royal heavy
        late brief empty foreign golden central rural former private mobile grand second young senior""",
        "number": "two three four seven twelve 19 23 31 40 48 57 100 350 2,000 some several",
        "age": "19 24 28 33 37 41 46 52 58 63 69 74 81",
        "poss": "his her",
        "never": "never once rarely",
        "killed": "shot shot killed killed murdered stabbed poisoned strangled assassinated",
        "murder": "murder killing shooting assassination",
        "side": "northern southern eastern western central rural upper",
        "weekday": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
        "month": "January February March April May June July August September October November December",
        "title": "Mr. Mrs. Dr. Gen. Judge Mayor",
        "given": """Ada Alan Albert Alice Amos Anna Arthur Beatrice Carl Carmen Clara Daniel Diana Edgar Elena Emil
        Esther Felix Fiona Frank George Grace Hanna Harold Helen Hugo Ida Irene Ivan James Jane Joel Judith Karen
        Laura Leon Lucia Marcus Martha Miriam Nadia Nora Oscar Pablo Paula Peter Quentin Rita Robert Rosa Ruth
        Samuel Sonia Stella Theo Ursula Victor Vera Walter Yvonne""",
        "particle": "van de al von",
        "sonof": "son ski er ez man ov s",
        "townlike": "ville ton burg field port ford stad berg",
        "before_town": "Port New San Fort North Grand",
        "after_town": "City Springs Beach Falls Heights",
        "before_nature": "Lake Mount Cape",
        "country": "Belmark Fenmark Kesland Lomar Nordmark Sundermark Tharn Wendmark Yarland",
        "republic": """Alvonia Corvania Drasna Estavia Galdora Hestia Iberna Jorvania Morvia Ostrania Pelagia Quinta
        Ravonia Tavoria Olmia Vestria Zembria""",
        "district": "County Islands Province",
        "office": "Ministry Institute Department",
        "field": """Agriculture Culture Education Energy Fisheries Forestry Health Justice Medicine Mining Trade
        Transport""",
        "company": """Airlines Bank Brewery Chemicals Foods Herald Industries Insurance Journal Mining Motors Oil
        Partners Pharmaceuticals Press Railways Records Shipping Software Steel Times Tribune Union""",
        "fame": "Blue Central Golden Grand High Iron Long National Northern Old Red Royal Silent Western White Young",
        "occasion": "Treaty Cup Festival War Games Prize",
        "initial": "A B C D E F G H J K L M N P R S T V W",
        "digit": "0 1 2 3 4 5 6 7 8 9",
        "day": " ".join(map(str, range(1, 29))),
        "onset": "b br c ch d dr f g gr h j k kr l m n p r s sh st t th tr v w z",
        "vowel": "a e i o u a e o ai ei ou ia",
    }.items()
}

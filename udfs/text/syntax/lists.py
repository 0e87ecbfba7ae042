"""Closed classes of English words, and open words that behave unlike the rest of their class."""

from __future__ import annotations

from udfs.text.words import listed

NOMINATIVE = {"I": "me", "he": "him", "she": "her", "we": "us", "they": "them", "it": "it", "you": "you"}
ACCUSATIVE = {accusative: nominative for nominative, accusative in NOMINATIVE.items()}
POSSESSIVES = {"my": "I", "your": "you", "his": "he", "her": "she", "its": "it", "our": "we", "their": "they"}
REFLEXIVES = listed("myself yourself himself herself itself ourselves yourselves themselves oneself")
SOMEBODIES = listed("somebody someone something everybody everyone everything anybody anyone anything")
NEGATIVES = listed("nobody nothing none neither no few little hardly scarcely barely")
NEGATABLE = listed("any anybody anyone anything much either")
QUANTIFIERS = listed("all every each both many several some most everybody everyone everything")

SINGULAR_DETERMINERS = listed("a an this that each every another one")
PLURAL_DETERMINERS = listed("these those many several few both")
OTHER_DETERMINERS = listed("the some any no most all such enough much")
DETERMINERS = SINGULAR_DETERMINERS | PLURAL_DETERMINERS | OTHER_DETERMINERS | frozenset(POSSESSIVES)
NUMBERS = listed(
    "two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand"
)
QUANTITIES = listed("all some most many several both half hundreds thousands millions dozens")

BE = listed("am is are was were be been being")
HAVE = listed("have has had having")
DO = listed("do does did")
MODALS = listed("will would can could shall should may might must")
CLITICS = {"m": "am", "re": "are", "ve": "have", "ll": "will", "s": "'s", "d": "'d"}

QUESTIONS = listed("who whom whose what which where why how whether")
SUBORDINATORS = listed(
    "because although though if when while unless whereas whenever wherever whoever whatever as than so or but nor lest"
)
PREPOSITIONS = listed(
    "in on at by for from to with without into onto off of over under through across along around against among about"
    " above after before behind below beneath beside between beyond down during inside near outside past per since"
    " throughout toward towards until till up upon within via despite except like"
)
AFTER_SUBJECTS = listed("in on at from with near under behind for about between against beside inside")
TIME_PREPOSITIONS = listed("in on at by before after since for from within throughout around")
ALWAYS_TIME = listed("during until till")
DIRECTIONS = listed("into onto to off from out through across towards toward over down up along around")
PLACES = listed("in on under behind beside near above below inside against over between with")

MONTHS_AND_DAYS = listed(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august"
    " september october november december christmas easter"
)
TIME_NOUNS = MONTHS_AND_DAYS | listed(
    "minute hour day night morning afternoon evening noon midnight dawn dusk sunset sunrise week weekend"
    " fortnight month year decade century spring summer autumn winter time moment today tomorrow yesterday lunchtime"
)
TIME_ADVERBS = listed(
    "yesterday today tonight tomorrow now then soon again yet already later recently immediately once twice earlier"
    " nowadays eventually finally daily weekly monthly yearly annually regularly frequently occasionally sometimes"
    " initially"
)
FREQUENCIES = listed(
    "always never often usually already just still probably also rarely seldom sometimes certainly finally eventually"
    " recently generally normally frequently ever now soon definitely apparently currently regularly originally once"
    " nearly almost really obviously evidently possibly initially occasionally typically undoubtedly surely presumably"
    " reportedly allegedly previously subsequently traditionally immediately largely mainly mostly"
)
NOT_MANNERS = listed(
    "willingly reluctantly deliberately intentionally happily gladly voluntarily proudly eagerly angrily sadly only"
    " primarily partly chiefly predominantly entirely solely merely early family friendly likely lonely lovely silly"
    " ugly elderly hardly scarcely barely ally belly bully fly jelly lily reply supply italy july rally"
    " apply rely multiply comply imply assembly butterfly"
)
MANNERS = listed("well badly")
NEAR_ADVERBS = listed("up down out off away back aside apart upstairs downstairs abroad ashore")

LINKING = listed("be become seem appear remain look sound feel stay prove")
NO_PASSIVE = listed(
    "have cost resemble fit lack weigh suit mean equal comprise want get let need deserve last undergo await befall"
    " total number go come die live arrive belong consist happen exist walk marry meet escape survive elude"
    " contain possess wish hope agree say think exceed include involve sleep wait stand sit lie lay fall rise smile"
    " laugh cry boast quit constitute dare return work act wonder differ vary matter depend result occur emerge"
    " disappear vanish try flow swim"
)
TWO_OBJECTS = listed(
    "win earn fetch order pour reserve choose refuse forgive envy give tell send show offer lend teach bring buy sell"
    " pay promise ask write hand pass owe grant deny allow award"
    " make cook bake find leave feed serve read cause save spare charge throw"
)
COMPLEMENTS = listed("elect name call appoint consider declare crown make deem dub vote nominate see hear watch help")
ADDRESSING = listed("tell ask warn inform question teach advise remind consult")
MOVERS = listed(
    "blow send sentence carry drive throw take bring push pull lead transfer move pour drop put place lay deliver ship"
    " lift drag kick roll shoot toss hurl load invite force translate transform convert divide split scatter spread add"
    " export import deport release remove steal rescue extract borrow derive attract limit reduce introduce attach"
    " assign sell lend explain report escort guide chase sweep tie connect link compare expose confine admit bind"
    " restrict distract isolate separate expel evict"
)
PLACERS = listed(
    "put place lay hang plant park store install bury hide draw carve write nail glue stick spread build throw"
)
SUPPLIERS = listed(
    "feed fill cover decorate surround replace provide supply equip present mix combine infect load compare shower"
    " associate"
)
ROUTES = listed("flight train bus road trip way path course journey walk tour ferry")
IDIOMS = listed(
    "make:it kick:bucket"
    " take:part take:place take:care take:time take:advantage take:note take:root take:turn take:chance"
    " take:shape take:effect make:sense make:way make:love make:progress make:fun make:friend make:use make:living"
    " make:difference make:money make:fuss make:face lose:patience lose:weight lose:control lose:interest catch:fire"
    " catch:cold catch:sight keep:pace keep:track pay:attention pay:visit give:way give:birth give:rise set:sail"
    " set:foot set:fire bear:fruit break:ground do:best do:harm spend:time waste:time pass:time kill:time save:face"
    " play:part play:role play:trick play:card lead:life lead:way tell:time hit:road hit:sack miss:point take:seat"
    " take:bath take:break take:nap take:look take:breath take:risk take:leave take:walk"
)
BODY = listed(
    "head hand eye arm leg shoulder throat breath mouth lip tooth tongue nose face finger fist foot knee mind temper"
    " heart voice life way best neck ear brow eyebrow"
)
MASS = listed(
    "water rice bread coffee tea honey milk beer wine sugar salt meat fish fruit food rain snow ice fire wind lightning"
    " oil gas coal gold silver iron steel glass wood paper music money information furniture advice evidence research"
    " traffic electricity energy power light heat radium cheese butter chocolate cotton wool silk sand smoke dust air"
    " soil grass corn wheat cream juice soup pasta pollution inflation poverty education knowledge equipment luggage"
    " rubbish garbage software hardware art poetry history science medicine violence crime corruption tobacco alcohol"
    " blood sunlight sunshine frost fog erosion experience"
)
PLURALS = listed("people police cattle children men women feet teeth geese mice goods customs clothes")
EITHER_NUMBER = listed(
    "deer sheep fish series species aircraft spacecraft offspring data media headquarters means crew family team jury"
    " couple pair majority minority variety public press lot number rest range dozen"
)
MODIFIERS_IN_S = listed("customs sports goods arms news savings sales business glass class bus gas")
NOT_AGENTS = listed(
    "hour weight dozen percent pound kilo inch mile metre meter degree number margin factor amount half third quarter"
    " accident means way contrast side window gate door river lake roadside seaside corner pool bed table fireplace"
    " method process procedure technique use route turn comparison sight touch trade instalment installment thing"
    " name"
)
MAY_BE_PLACES = listed("church bank bridge tree fence wall road sea house station shop wood hotel fire")
POSITIONING = listed("park plant place put leave lay hang seat station build bury store find see meet stop")
NOUNS_TOO = listed("key human official individual criminal native adult novel patient light chief")
NOUNS_IN_ING = listed(
    "building meeting ceiling evening morning painting wedding feeling clothing ring king spring string wing thing"
    " something training housing funding pudding warning drawing opening"
)
TAKING_OF = listed(
    "accuse rob deprive cure clear convict warn inform remind suspect rid strip make assure relieve notify expect ask"
    " demand require"
)
COMPASS = listed("North South East West")
TITLES = listed("Mr Mrs Ms Dr Prof St")

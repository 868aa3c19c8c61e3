"""Which OpenMoji drawings show which ImageNet classes.

A drawing is a fair picture of its class, or of what people use the class's name for where ImageNet has nothing nearer (its
only eagle is the bald eagle). No drawing shows two classes. Characters are single code points; those of OpenMoji's own, in
the private use area, are written as escapes.
"""

from typing import NamedTuple

FORMS = ("whole", "face", "variant")


class ClassGlyph(NamedTuple):
    """One drawing of a class: an OpenMoji character, and which of FORMS it is."""

    character: str
    form: str


def _drawings(whole: str = "", face: str = "", variant: str = "") -> tuple[ClassGlyph, ...]:
    """The drawings of a class: the whole thing, its head alone, and other kinds or pictures of it; one character each."""
    return tuple(
        ClassGlyph(character, form)
        for form, characters in zip(FORMS, (whole, face, variant), strict=True)
        for character in characters
    )


# By wnid, in ascending order; each line ends with the name of its class.
CLASS_GLYPHS: dict[str, tuple[ClassGlyph, ...]] = {
    "n01443537": _drawings(whole="\ue000"),  # goldfish
    "n01484850": _drawings(whole="🦈"),  # great white shark
    "n01514668": _drawings(whole="🐓"),  # cock
    "n01514859": _drawings(face="🐔"),  # hen
    "n01614925": _drawings(whole="🦅"),  # bald eagle
    "n01622779": _drawings(whole="🦉"),  # great grey owl
    "n01644373": _drawings(face="🐸"),  # tree frog
    "n01669191": _drawings(whole="🐢"),  # box turtle
    "n01693334": _drawings(whole="🦎"),  # green lizard
    "n01697457": _drawings(whole="🐊"),  # African crocodile
    "n01729977": _drawings(whole="🐍"),  # green snake
    "n01770393": _drawings(whole="🦂"),  # scorpion
    "n01775062": _drawings(whole="🕷"),  # wolf spider
    "n01806143": _drawings(whole="🦚"),  # peacock
    "n01818515": _drawings(whole="🦜", variant="\ue010"),  # macaw, scarlet and blue-and-yellow
    "n01847000": _drawings(whole="🦆"),  # drake
    "n01855672": _drawings(whole="🪿"),  # goose
    "n01871265": _drawings(whole="🦣"),  # tusker: WordNet's "any mammal with prominent tusks"
    "n01877812": _drawings(whole="🦘"),  # wallaby
    "n01882714": _drawings(whole="🐨"),  # koala
    "n01910747": _drawings(whole="🪼"),  # jellyfish
    "n01943899": _drawings(whole="🐚"),  # conch
    "n01944390": _drawings(whole="🐌"),  # snail
    "n01978455": _drawings(whole="🦀"),  # rock crab
    "n01983481": _drawings(whole="🦞"),  # American lobster
    "n02007558": _drawings(whole="🦩"),  # flamingo
    "n02056570": _drawings(whole="🐧"),  # king penguin
    "n02066245": _drawings(whole="🐋", variant="🐳"),  # grey whale
    "n02071294": _drawings(whole="🫍", variant="\ue004"),  # killer whale
    "n02077923": _drawings(whole="🦭"),  # sea lion
    "n02099601": _drawings(face="🐶"),  # golden retriever
    "n02099712": _drawings(whole="🦮"),  # Labrador retriever: a guide dog
    "n02113799": _drawings(whole="🐩"),  # standard poodle
    "n02114367": _drawings(face="🐺"),  # timber wolf
    "n02115641": _drawings(whole="🐕"),  # dingo
    "n02119022": _drawings(face="🦊"),  # red fox
    "n02123045": _drawings(whole="🐈", face="🐱"),  # tabby
    "n02128385": _drawings(whole="🐆"),  # leopard
    "n02129165": _drawings(face="🦁"),  # lion
    "n02129604": _drawings(whole="🐅", face="🐯"),  # tiger
    "n02132136": _drawings(face="🐻"),  # brown bear
    "n02165456": _drawings(whole="🐞"),  # ladybug
    "n02174001": _drawings(whole="🪲"),  # rhinoceros beetle
    "n02190166": _drawings(whole="🪰"),  # fly
    "n02206856": _drawings(whole="🐝"),  # bee
    "n02219486": _drawings(whole="🐜"),  # ant
    "n02226429": _drawings(whole="🦗"),  # grasshopper
    "n02233338": _drawings(whole="🪳"),  # cockroach
    "n02281787": _drawings(whole="🦋"),  # lycaenid
    "n02325366": _drawings(whole="🐇", face="🐰"),  # wood rabbit
    "n02342885": _drawings(face="🐹"),  # hamster
    "n02346627": _drawings(whole="🦔"),  # porcupine: WordNet's "porcupine, hedgehog"
    "n02356798": _drawings(whole="🐿"),  # fox squirrel
    "n02363005": _drawings(whole="🦫"),  # beaver
    "n02389026": _drawings(whole="🐎", face="🐴"),  # sorrel
    "n02391049": _drawings(whole="🦓"),  # zebra
    "n02395406": _drawings(whole="🐖", face="🐷"),  # hog
    "n02396427": _drawings(whole="🐗"),  # wild boar
    "n02398521": _drawings(whole="🦛"),  # hippopotamus
    "n02403003": _drawings(whole="🐂", face="🐮", variant="🐄"),  # ox
    "n02408429": _drawings(whole="🐃"),  # water buffalo
    "n02410509": _drawings(whole="🦬"),  # bison
    "n02412080": _drawings(whole="🐏"),  # ram
    "n02417914": _drawings(whole="🐐"),  # ibex
    "n02437312": _drawings(whole="🐪"),  # Arabian camel
    "n02437616": _drawings(whole="🦙"),  # llama
    "n02444819": _drawings(whole="🦦"),  # otter
    "n02445715": _drawings(whole="🦨"),  # skunk
    "n02447366": _drawings(whole="🦡"),  # badger
    "n02457408": _drawings(whole="🦥"),  # three-toed sloth
    "n02480495": _drawings(whole="🦧"),  # orangutan
    "n02480855": _drawings(whole="🦍"),  # gorilla
    "n02481823": _drawings(face="🐵"),  # chimpanzee
    "n02487347": _drawings(whole="🐒", variant="🙈🙉🙊"),  # macaque: the wise monkeys are Japanese macaques
    "n02504458": _drawings(whole="🐘"),  # African elephant
    "n02510455": _drawings(face="🐼"),  # giant panda
    "n02606052": _drawings(whole="🐠"),  # rock beauty
    "n02655020": _drawings(whole="🐡"),  # puffer
    "n02666196": _drawings(whole="🧮"),  # abacus
    "n02672831": _drawings(whole="🪗"),  # accordion
    "n02690373": _drawings(whole="✈", variant="🛬"),  # airliner
    "n02701002": _drawings(whole="🚑"),  # ambulance
    "n02708093": _drawings(whole="🕰", variant="⏰"),  # analog clock
    "n02747177": _drawings(whole="\ue262", variant="🗑"),  # ashcan
    "n02769748": _drawings(whole="🎒"),  # backpack
    "n02782093": _drawings(whole="🎈"),  # balloon
    "n02783161": _drawings(whole="🖊"),  # ballpoint
    "n02786058": _drawings(whole="🩹", variant="\ue306"),  # Band Aid
    "n02787622": _drawings(whole="🪕"),  # banjo
    "n02795169": _drawings(whole="🛢", variant="\ue2d3"),  # barrel
    "n02797295": _drawings(whole="\ue344"),  # barrow
    "n02799071": _drawings(whole="⚾"),  # baseball
    "n02802426": _drawings(whole="🏀"),  # basketball
    "n02808440": _drawings(whole="🛁", variant="🛀"),  # bathtub
    "n02814860": _drawings(whole="\ue212"),  # beacon: the Pharos
    "n02817516": _drawings(whole="💂"),  # bearskin
    "n02823750": _drawings(whole="🍺", variant="🍻"),  # beer glass
    "n02837789": _drawings(whole="👙"),  # bikini
    "n02879718": _drawings(whole="🏹"),  # bow
    "n02906734": _drawings(whole="🧹"),  # broom
    "n02909870": _drawings(whole="🪣"),  # bucket
    "n02917067": _drawings(whole="🚄", variant="🚅"),  # bullet train
    "n02930766": _drawings(whole="🚕", variant="🚖"),  # cab
    "n02948072": _drawings(whole="🕯"),  # candle
    "n02951358": _drawings(whole="🛶"),  # canoe
    "n02966193": _drawings(whole="🎠"),  # carousel
    "n02966687": _drawings(whole="🧰"),  # carpenter's kit
    "n02971356": _drawings(whole="📦"),  # carton
    "n02974003": _drawings(whole="🛞"),  # car wheel
    "n02977058": _drawings(whole="🏧"),  # cash machine
    "n02978881": _drawings(whole="📼"),  # cassette
    "n02980441": _drawings(whole="🏰", variant="🏯"),  # castle
    "n02992529": _drawings(whole="📱"),  # cellular telephone
    "n02999410": _drawings(whole="⛓", variant="🔗"),  # chain
    "n03014705": _drawings(whole="🪎"),  # chest
    "n03028079": _drawings(whole="⛪", variant="💒"),  # church
    "n03063689": _drawings(whole="\ue154", variant="\ue152"),  # coffeepot
    "n03085013": _drawings(whole="⌨"),  # computer keyboard
    "n03110669": _drawings(whole="🎺"),  # cornet: WordNet's "cornet, horn, trumpet"
    "n03124170": _drawings(whole="🤠"),  # cowboy hat
    "n03126707": _drawings(whole="🏗"),  # crane
    "n03127747": _drawings(whole="\ue14a"),  # crash helmet
    "n03141823": _drawings(whole="🩼", variant="\ue326"),  # crutch
    "n03187595": _drawings(whole="☎"),  # dial telephone
    "n03197337": _drawings(whole="\ue1ce"),  # digital watch
    "n03249569": _drawings(whole="🥁", variant="🪘"),  # drum
    "n03272010": _drawings(whole="🎸"),  # electric guitar
    "n03291819": _drawings(whole="✉", variant="💌"),  # envelope
    "n03297495": _drawings(whole="\ue150"),  # espresso maker
    "n03337140": _drawings(whole="🗄"),  # file: a filing cabinet
    "n03345487": _drawings(whole="🚒"),  # fire engine
    "n03372029": _drawings(whole="🪈"),  # flute
    "n03388043": _drawings(whole="⛲"),  # fountain
    "n03388183": _drawings(whole="🖋", variant="✒"),  # fountain pen
    "n03394916": _drawings(whole="📯"),  # French horn
    "n03400231": _drawings(whole="🍳"),  # frying pan
    "n03424325": _drawings(whole="\ue2d9"),  # gasmask
    "n03425413": _drawings(whole="⛽"),  # gas pump
    "n03450230": _drawings(whole="👗"),  # gown
    "n03481172": _drawings(whole="🔨"),  # hammer
    "n03492542": _drawings(whole="💽"),  # hard disc
    "n03495258": _drawings(whole="🪉"),  # harp
    "n03498962": _drawings(whole="🪓", variant="\ue347"),  # hatchet
    "n03532672": _drawings(whole="🪝"),  # hook
    "n03544143": _drawings(whole="⌛", variant="⏳"),  # hourglass
    "n03590841": _drawings(whole="🎃"),  # jack-o'-lantern
    "n03594734": _drawings(whole="👖"),  # jean
    "n03594945": _drawings(whole="🚙"),  # jeep
    "n03595614": _drawings(whole="👕", variant="🎽"),  # jersey
    "n03598930": _drawings(whole="🧩"),  # jigsaw puzzle
    "n03602883": _drawings(whole="🕹"),  # joystick
    "n03617480": _drawings(whole="👘"),  # kimono
    "n03627232": _drawings(whole="🪢"),  # knot
    "n03630383": _drawings(whole="🥼"),  # lab coat
    "n03642806": _drawings(whole="💻"),  # laptop
    "n03649909": _drawings(whole="\ue343"),  # lawn mower
    "n03673027": _drawings(whole="🛳"),  # liner
    "n03676483": _drawings(whole="💄"),  # lipstick
    "n03690938": _drawings(whole="🧴"),  # lotion
    "n03691459": _drawings(whole="🔊"),  # loudspeaker
    "n03692522": _drawings(whole="🔍"),  # loupe
    "n03706229": _drawings(whole="🧭"),  # magnetic compass
    "n03710193": _drawings(whole="📫", variant="📮"),  # mailbox
    "n03710721": _drawings(whole="🩱"),  # maillot
    "n03720891": _drawings(whole="🪇"),  # maraca
    "n03724870": _drawings(whole="🎭", variant="\ue145"),  # mask
    "n03743016": _drawings(whole="\ue216"),  # megalith: a moai
    "n03759954": _drawings(whole="🎤", variant="🎙"),  # microphone
    "n03769881": _drawings(whole="🚐"),  # minibus
    "n03773504": _drawings(whole="🚀"),  # missile
    "n03775071": _drawings(whole="🧤"),  # mitten
    "n03782006": _drawings(whole="🖥"),  # monitor
    "n03787032": _drawings(whole="🎓"),  # mortarboard
    "n03788195": _drawings(whole="🕌"),  # mosque
    "n03791053": _drawings(whole="🛵"),  # motor scooter
    "n03792782": _drawings(whole="🚲", variant="🚵"),  # mountain bike
    "n03792972": _drawings(whole="⛺"),  # mountain tent
    "n03793489": _drawings(whole="🖱", variant="🖲"),  # mouse
    "n03794056": _drawings(whole="🪤"),  # mousetrap
    "n03814906": _drawings(whole="📿"),  # necklace
    "n03874599": _drawings(whole="🔒", variant="🔓"),  # padlock
    "n03876231": _drawings(whole="🖌"),  # paintbrush
    "n03888257": _drawings(whole="🪂"),  # parachute
    "n03920288": _drawings(whole="🧫"),  # Petri dish
    "n03930630": _drawings(whole="🛻"),  # pickup
    "n03937543": _drawings(whole="\ue307"),  # pill bottle
    "n03942813": _drawings(whole="🏓"),  # ping-pong ball
    "n03950228": _drawings(whole="\ue153"),  # pitcher
    "n03970156": _drawings(whole="🪠"),  # plunger
    "n03977966": _drawings(whole="🚓", variant="🚔"),  # police van
    "n03983396": _drawings(whole="\ue0cb"),  # pop bottle
    "n03991062": _drawings(whole="🪴"),  # pot: a flowerpot
    "n04004767": _drawings(whole="🖨"),  # printer
    "n04009552": _drawings(whole="📽"),  # projector
    "n04019541": _drawings(whole="🏒"),  # puck
    "n04026417": _drawings(whole="👜", variant="👛"),  # purse
    "n04037443": _drawings(whole="🏎"),  # racer
    "n04039381": _drawings(whole="🏸"),  # racket
    "n04041544": _drawings(whole="📻"),  # radio
    "n04044716": _drawings(whole="📡"),  # radio telescope
    "n04069434": _drawings(whole="📷", variant="📸"),  # reflex camera
    "n04086273": _drawings(whole="🔫"),  # revolver
    "n04118538": _drawings(whole="🏉"),  # rugby ball
    "n04118776": _drawings(whole="📏"),  # rule
    "n04120489": _drawings(whole="👟"),  # running shoe
    "n04127249": _drawings(whole="🧷"),  # safety pin
    "n04131690": _drawings(whole="🧂"),  # saltshaker
    "n04133789": _drawings(whole="👡", variant="🩴"),  # sandal
    "n04141076": _drawings(whole="🎷"),  # sax
    "n04141975": _drawings(whole="⚖", variant="\ue32b"),  # scale
    "n04146614": _drawings(whole="🚍"),  # school bus
    "n04153751": _drawings(whole="🔩"),  # screw
    "n04154565": _drawings(whole="🪛"),  # screwdriver
    "n04192698": _drawings(whole="🛡"),  # shield
    "n04204238": _drawings(whole="🧺"),  # shopping basket
    "n04204347": _drawings(whole="🛒"),  # shopping cart
    "n04208210": _drawings(whole="🪏", variant="\ue345"),  # shovel
    "n04228054": _drawings(whole="🎿", variant="⛷"),  # ski
    "n04243546": _drawings(whole="🎰"),  # slot
    "n04251144": _drawings(whole="🤿"),  # snorkel
    "n04254680": _drawings(whole="⚽"),  # soccer ball
    "n04254777": _drawings(whole="🧦"),  # sock
    "n04263257": _drawings(whole="🍲", variant="🥣"),  # soup bowl
    "n04266014": _drawings(whole="\ue20b"),  # space shuttle
    "n04273569": _drawings(whole="🚤", variant="🛥"),  # speedboat
    "n04275548": _drawings(whole="🕸"),  # spider web
    "n04310018": _drawings(whole="🚂"),  # steam locomotive
    "n04317175": _drawings(whole="🩺"),  # stethoscope
    "n04328186": _drawings(whole="⏱"),  # stopwatch
    "n04335435": _drawings(whole="🚋", variant="🚊"),  # streetcar
    "n04336792": _drawings(whole="\ue328"),  # stretcher
    "n04344873": _drawings(whole="🛋"),  # studio couch
    "n04356056": _drawings(whole="🕶"),  # sunglasses
    "n04371430": _drawings(whole="🩳"),  # swimming trunks
    "n04376876": _drawings(whole="💉"),  # syringe
    "n04398044": _drawings(whole="🫖"),  # teapot
    "n04399382": _drawings(whole="🧸"),  # teddy
    "n04404412": _drawings(whole="📺"),  # television
    "n04409515": _drawings(whole="🎾"),  # tennis ball
    "n04417672": _drawings(whole="🛖"),  # thatch
    "n04447861": _drawings(whole="🚽"),  # toilet seat
    "n04465501": _drawings(whole="🚜"),  # tractor
    "n04467665": _drawings(whole="🚛"),  # trailer truck
    "n04479046": _drawings(whole="🧥"),  # trench coat
    "n04487081": _drawings(whole="🚎"),  # trolleybus
    "n04487394": _drawings(whole="🪊"),  # trombone
    "n04507155": _drawings(whole="☂", variant="🌂☔"),  # umbrella
    "n04522168": _drawings(whole="🏺", variant="⚱"),  # vase
    "n04536866": _drawings(whole="🎻"),  # violin
    "n04540053": _drawings(whole="🏐"),  # volleyball
    "n04548280": _drawings(whole="🕑"),  # wall clock
    "n04554684": _drawings(whole="\ue1cf"),  # washer
    "n04557648": _drawings(whole="\ue0cc"),  # water bottle
    "n04591157": _drawings(whole="👔"),  # Windsor tie
    "n04591713": _drawings(whole="🍾"),  # wine bottle
    "n04599235": _drawings(whole="🧶"),  # wool
    "n04612504": _drawings(whole="⛵"),  # yawl
    "n06359193": _drawings(whole="\ue1c0"),  # web site
    "n06794110": _drawings(whole="🛑", variant="🚏"),  # street sign
    "n06874185": _drawings(whole="🚦", variant="🚥"),  # traffic light
    "n07248320": _drawings(whole="📕", variant="📙"),  # book jacket
    "n07579787": _drawings(whole="🍽"),  # plate
    "n07614500": _drawings(whole="🍦", variant="🍨"),  # ice cream
    "n07684084": _drawings(whole="🥖"),  # French loaf
    "n07693725": _drawings(whole="🥯"),  # bagel
    "n07695742": _drawings(whole="🥨", variant="\ue0c3"),  # pretzel
    "n07697313": _drawings(whole="🍔"),  # cheeseburger
    "n07697537": _drawings(whole="🌭"),  # hotdog
    "n07714571": _drawings(whole="🥬"),  # head cabbage
    "n07714990": _drawings(whole="🥦"),  # broccoli
    "n07718472": _drawings(whole="🥒"),  # cucumber
    "n07720875": _drawings(whole="🫑"),  # bell pepper
    "n07734744": _drawings(whole="\ue0c8", variant="\ue0c9"),  # mushroom, whole and halved
    "n07742313": _drawings(whole="🍏"),  # Granny Smith
    "n07745940": _drawings(whole="🍓"),  # strawberry
    "n07747607": _drawings(whole="🍊", variant="\ue0c0"),  # orange, whole and sliced
    "n07749582": _drawings(whole="🍋"),  # lemon
    "n07753275": _drawings(whole="🍍"),  # pineapple
    "n07753592": _drawings(whole="🍌"),  # banana
    "n07768694": _drawings(whole="\ue0c4"),  # pomegranate
    "n07831146": _drawings(whole="🍝"),  # carbonara
    "n07873807": _drawings(whole="🍕"),  # pizza
    "n07875152": _drawings(whole="🥧"),  # potpie
    "n07880968": _drawings(whole="🌯"),  # burrito
    "n07892512": _drawings(whole="🍷"),  # red wine
    "n07920052": _drawings(whole="☕"),  # espresso
    "n09193705": _drawings(whole="🏔"),  # alp
    "n09229709": _drawings(whole="🫧"),  # bubble
    "n09256479": _drawings(whole="🪸"),  # coral reef
    "n09428293": _drawings(whole="🏖", variant="🏝"),  # seashore
    "n09472597": _drawings(whole="🌋", variant="\ue099"),  # volcano
    "n11939491": _drawings(whole="🌼"),  # daisy
    "n12144580": _drawings(whole="🌽"),  # corn
    "n12768682": _drawings(whole="🌰"),  # buckeye
    "n12998815": _drawings(whole="🍄"),  # agaric
    "n15075141": _drawings(whole="🧻"),  # toilet tissue
}

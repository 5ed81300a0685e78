"""Plain English for scripts: what means alike, and the plainest ways to say things.

It is what somebody would write who knows the families and has seen no pack. A word's
class counts as a word of its own, so that "hands over" is like "gives".
"""

from __future__ import annotations

from typing import Final

from moltp2p.proof.pack import Library, Pack, Phrase, Scene
from moltp2p.proof.world import Family

CLASSES: Final[dict[str, str]] = {
    "GIVE": "give gives gave given hand hands handed pass passes passed present send "
    "sends sent lend lends donate transfer transfers deliver supply supplies offer "
    "slip slips pay pays grant grants award surrender cede ship ships leave leaves",
    "GET": "get gets got receive receives received obtain obtains take takes took "
    "taken collect collects accept borrow inherit inherits fetch fetches earn earns",
    "FIND": "find finds found gain gains buy buys bought win wins won discover pick "
    "picks acquire acquires harvest catch catches arrive arrives more additional "
    "further another extra new richer grow grows increase increases rise rises up",
    "LOSE": "lose loses lost drop drops dropped discard break breaks broken spend "
    "sell sells sold eat eats burn burns destroy destroyed waste spoil spoils vanish "
    "disappear disappears throw throws shrink shrinks fall falls decrease stolen "
    "fewer less poorer down gone rid shed",
    "SWAP": "swap swaps swapped exchange exchanges exchanged trade trades traded "
    "switch switches switched change changes interchange barter mutual each-other",
    "DOUBLE": "double doubles doubled doubling twice two-fold twofold second",
    "HALF": "half halves halved halve fifty-fifty",
    "SAME": "same equal equals equally match matches level identical even many alike "
    "draw copy copies copied",
    "CORRECT": "correction correct wrong mistake error sorry actually rather instead "
    "misread misprint slip wait should mean meant really fix not",
    "AGAIN": "again repeat repeated repeats once twice likewise anew second same",
    "LEFT": "left ahead before front preceding earlier prior above sooner precedes",
    "RIGHT": "right behind after following later next below back follows succeeds",
    "BETWEEN": "between separates separate apart one two single another",
    "REVERSE": "reverse reversed backwards flip flipped turn turned inverted opposite "
    "mirror upside round",
    "UPWARD": "ascending increasing smallest lowest least rising climbing up grow",
    "DOWNWARD": "descending decreasing largest greatest highest biggest falling shrink",
    "REMOVE": "remove removed delete deleted strike struck cross drop dropped discard "
    "eliminate erase erased cancel cancelled scrap omit exclude leave out away",
    "KEEP": "keep keeps kept retain stay stays remain remains only",
    "ADD": "add adds added plus increase raise raised append put join insert",
    "SUB": "subtract subtracted minus reduce reduced lower lowered decrease off deduct",
    "EVEN": "even divisible",
    "ODD": "odd uneven indivisible",
    "FIRST": "first front head foremost start beginning leading top",
    "LAST": "last end tail back hindmost final rear bottom",
    "UNDO": "undo undone revert reverted forget cancel cancelled withdraw withdrawn "
    "void ignore disregard never-mind scratch restore back",
    "BEGIN": "begin begins start starts started beginning open opens arrive arrives "
    "commence commences kick",
    "FINISH": "end ends finish finishes finished over done close closes depart departs "
    "conclude concludes leave leaves stop stops",
    "LAST_LONG": "last lasts take takes long length duration minutes",
    "LATER": "later after postponed delayed delay late put-off afterwards",
    "EARLIER": "earlier before sooner forward early advanced ahead",
    "ALL": "all every everything everyone each whole entire entirely together total",
}

SYNONYMS: Final = {
    word: frozenset(name for name, words in CLASSES.items() if word in words.split())
    for words in CLASSES.values()
    for word in words.split()
}

PLAIN: Final[dict[Family, dict[str, str]]] = {
    Family.LEDGER: {
        "start": "{a} has {n} at the start|{a} starts with {n}|at first {a} has {n}",
        "start_more": "{a} has {n} more than {b}",
        "start_fewer": "{a} has {n} fewer than {b}|{a} has {n} less than {b}",
        "start_twice": "{a} has twice as many as {b}",
        "start_same": "{a} has as many as {b}|{a} and {b} have the same number",
        "gain": "{a} gains {n}|{a} finds {n} more|{a} gets {n} more",
        "lose": "{a} loses {n}|{a} drops {n}|{n} of {a} are lost",
        "give": "{a} gives {n} to {b}|{a} gives {b} {n}|{b} gets {n} from {a}",
        "swap": "{a} and {b} swap all they have|{a} and {b} exchange everything",
        "double": "{a} doubles the number|{a} now has twice as many",
        "match": "{a} gets as many as {b} has|{a} now has the same number as {b}",
        "all": "{a} gives all to {b}|{b} gets everything from {a}",
        "halve": "{a} loses half",
        "each_gain": "{a} and {b} each gain {n}|{a} and {b} both get {n}",
        "each_lose": "{a} and {b} each lose {n}|{a} and {b} both drop {n}",
        "half": "{a} gives half to {b}|{b} gets half from {a}",
        "richer": "whoever of {a} and {b} has more gives {n} to the other",
        "again": "the same happens again|this is repeated once",
        "correct": "correction it was {n} not {m}|not {m} but {n}|{n} instead of {m}",
        "ask_one": "how many does {a} have at the end",
        "ask_both": "how many do {a} and {b} have together|sum of {a} and {b}",
        "ask_gap": "difference between {a} and {b}|how many more has {a} than {b}",
        "ask_rest": "how many do all others than {a} have|everybody except {a}",
    },
    Family.SEATS: {
        "row": "{names} stand in a row and wear {hues}|{names} {hues}",
        "at": "{a} is {nth}|{a} stands in {nth} place",
        "ahead": "{a} is directly left of {b}|{a} is right before {b}",
        "behind": "{a} is directly right of {b}|{a} is right after {b}",
        "two_ahead": "{a} is left of {b} with one between|{a} is two before {b}",
        "two_behind": "{a} is right of {b} with one between|{a} is two after {b}",
        "wears": "{a} wears {hue}|{a} has {hue}",
        "place_wears": "the {nth} wears {hue}|{hue} is in {nth} place",
        "ahead_wears": "who is directly left of {a} wears {hue}|before {a} is {hue}",
        "behind_wears": "who is directly right of {a} wears {hue}|after {a} is {hue}",
        "trade": "{a} and {b} swap places|{a} and {b} change places",
        "ask": "name these {parts}",
        "ask_place": "who is {nth}|who stands in {nth} place",
        "ask_hue_at": "the colour of the {nth}|the colour in {nth} place",
        "ask_hue_of": "the colour of {a}|what {a} wears",
        "ask_ahead": "who is directly left of {a}|who is before {a}",
        "ask_behind": "who is directly right of {a}|who is after {a}",
    },
    Family.PROGRAM: {
        "list": "the list is {numbers}|start with {numbers}",
        "drop_below": "remove all below {n}|keep those at least {n}",
        "drop_above": "remove all above {n}|keep those at most {n}",
        "drop_even": "remove the even numbers|keep the odd numbers",
        "drop_odd": "remove the odd numbers|keep the even numbers",
        "remove": "remove the {nth} number",
        "drop_multiples": "remove all multiples of {n}|remove those divisible by {n}",
        "drop_first": "remove the first number",
        "drop_last": "remove the last number",
        "drop_least": "remove the smallest number",
        "drop_greatest": "remove the largest number",
        "keep_first": "keep the first {n}",
        "keep_last": "keep the last {n}",
        "double": "double each number",
        "add_first": "add {n} to the first number",
        "add_last": "add {n} to the last number",
        "swap_first": "swap the first two numbers",
        "swap_last": "swap the last two numbers",
        "reverse": "reverse the list",
        "ascending": "sort ascending|sort from smallest to largest",
        "descending": "sort descending|sort from largest to smallest",
        "add": "add {n} to each|increase each by {n}",
        "subtract": "subtract {n} from each|decrease each by {n}",
        "to_end": "move the first to the end",
        "to_front": "move the last to the front",
        "swap_ends": "swap first and last",
        "replace": "replace {m} by {n}|{m} becomes {n}",
        "append": "add {n} at the end|append {n}",
        "prepend": "add {n} at the front|prepend {n}",
        "compare": "if the first is greater than the last reverse else add {n} to each",
        "correct": "correction use {n} not {m}|{n} instead of {m}",
        "undo": "undo the last step|forget that step",
        "ask_all": "what is the list|which numbers are left in order",
        "ask_back": "what is the list from last to first|read it backwards",
        "ask_first": "what are the first {n} numbers",
        "ask_last": "what are the last {n} numbers",
    },
    Family.FORM: {
        "order": "{a} orders for {day}|an order of {a} for {day}",
        "item": "{n} {good}|{n} {good} are ordered",
        "item_more": "{n} more {good} than {other}",
        "item_fewer": "{n} fewer {good} than {other}",
        "item_twice": "twice as many {good} as {other}",
        "item_same": "as many {good} as {other}",
        "double": "double the {good}|twice as many {good}",
        "halve": "half the {good}|half as many {good}",
        "merge": "add all {good} to the {other}|turn the {good} into {other}",
        "shift": "{n} {other} instead of {n} {good}|move {n} from {good} to {other}",
        "above": "{n} more {good} than {other}",
        "below": "{n} fewer {good} than {other}",
        "more": "{n} more {good}|add {n} {good}",
        "fewer": "{n} fewer {good}|remove {n} {good}",
        "set": "the number of {good} is now {n}|make it {n} {good} in all",
        "cancel": "no {good}|cancel the {good}",
        "extra": "also {n} {good}|new {n} {good}",
        "same": "as many {good} as {other}|{good} same number as {other}",
        "trade": "swap the numbers of {good} and {other}",
        "instead": "{other} instead of {good}|replace {good} by {other}",
        "later": "{n} days later",
        "earlier": "{n} days earlier",
        "recipient": "the customer is {b}",
        "revert": "undo the last change|forget that",
        "ask": "what is the order in the end",
    },
    Family.SCHEDULE: {
        "begins": "{a} begins on {day} at {at}",
        "lasts": "{a} lasts {n} minutes|{a} takes {n} minutes",
        "lasts_same": "{a} takes as long as {b}",
        "lasts_twice": "{a} takes twice as long as {b}",
        "ends": "{a} ends on {day} at {at}",
        "lasts_longer": "{a} takes {n} minutes longer than {b}",
        "lasts_shorter": "{a} takes {n} minutes less than {b}",
        "begin_at_end": "{a} begins when {b} ends",
        "end_at_begin": "{a} ends when {b} begins",
        "begin_together": "{a} begins when {b} begins|{a} and {b} begin together",
        "end_together": "{a} ends when {b} ends|{a} and {b} end together",
        "begin_after_begin": "{a} begins {n} minutes after {b} begins",
        "begin_before_begin": "{a} begins {n} minutes before {b} begins",
        "begin_after_end": "{a} begins {n} minutes after {b} ends",
        "begin_before_end": "{a} begins {n} minutes before {b} ends",
        "end_after_begin": "{a} ends {n} minutes after {b} begins",
        "end_before_begin": "{a} ends {n} minutes before {b} begins",
        "end_after_end": "{a} ends {n} minutes after {b} ends",
        "end_before_end": "{a} ends {n} minutes before {b} ends",
        "days_later": "{a} begins {n} days after {b} at the same time",
        "days_earlier": "{a} begins {n} days before {b} at the same time",
        "fix": "{a} takes {n} minutes not {m}|{a} {n} instead of {m} minutes",
        "all_later": "everything is {n} minutes later",
        "all_earlier": "everything is {n} minutes earlier",
        "ask_begin": "when does {a} begin",
        "ask_end": "when does {a} end",
    },
}
"""For each kind what anybody would say, in one to three ways."""


def plain_library() -> Library:
    """Return the plain phrases as a library."""
    scenes = tuple(
        Scene(
            family,
            {},
            (),
            {
                kind: tuple(map(Phrase.parse, said.split("|")))
                for kind, said in kinds.items()
            },
        )
        for family, kinds in PLAIN.items()
    )
    recall = (Phrase.parse("the {role}"),)
    memo = (Phrase.parse("the {role} is {name}"),)
    return Library.of([Pack("plain", scenes, memo, recall, ())])

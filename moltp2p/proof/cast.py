"""The names and words that worlds are made of; fixed by the protocol (spec 08).

None of the names is a common English word, so that none turns up by chance.
"""

from __future__ import annotations

from typing import Final

from moltp2p.proof.numerals import row

NAMES: Final = row(
    "Abdul Agnes Amira Anselm Astrid Bartek Beatriz Bogdan Brigid Cedric Chiara Dagny "
    "Darius Desmond Edith Elias Elodie Emeka Enzo Farida Fergus Fiona Gideon Giulia "
    "Gunnar Halima Hamish Hector Hilda Ibrahim Ilse Imogen Ingrid Isaac Ivo Jasna "
    "Jerome Joaquin Kamala Katya Kenji Kofi Lars Leila Leopold Ludmila Magda Malik "
    "Marek Matilda Mei Milan Nadia Niamh Noor Oksana Olaf Orla Oskar Pablo Petra "
    "Priya Quentin Rafael Ramona Renzo Rosalind Rupert Sabine Samir Sigrid Stellan "
    "Suki Tamsin Tariq Thea Tobias Ulrike Ursula Viggo Vikram Wanda Wilhelm Xenia "
    "Yannick Yusuf Zara Zelda Zoltan"
)  # SPEC 08: "The names, in this order"

ROLES: Final = row(
    "beekeeper blacksmith bookbinder brewer carpenter chemist clockmaker cobbler "
    "cooper dentist draper falconer farrier ferryman florist gardener glazier "
    "goldsmith grocer harbourmaster jeweller joiner lamplighter librarian locksmith "
    "midwife milliner notary optician organist plumber postmaster potter ranger "
    "sculptor stonemason tailor tanner translator violinist weaver"
)  # SPEC 08: "The roles, in this order"

HUES: Final = row(
    "beige black blue brown gold green grey pink purple red silver teal white yellow"
)  # SPEC 08: "The colours, in this order"

GOODS: Final = row(
    "anchors baskets bells blankets bottles brooms buckets candles chisels combs "
    "cushions drums flutes forks gloves hammers hats hinges jugs kettles keys ladders "
    "lamps mirrors mugs nails needles pans pillows pipes plates ropes rugs saddles "
    "scarves shovels spoons stools tables tiles towels vases wheels whistles"
)  # SPEC 08: "The goods, in this order"

DAYS: Final = row("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")

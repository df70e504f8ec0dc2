"""Writes the hostile requests, and the manifest that says what each is and how it must be answered, into a folder.

    python3 src/tests/hostile/make src/tests/hostile

It draws nothing at random, so the files are the same each time; a test sees to it that they are these.
"""

import pathlib
import sys

import messages
import others
import requests

COLUMNS = ["file", "est", "api", "cmp", "acme", "ocsp", "what it is"]


def main(folder):
    table = ["\t".join(COLUMNS)]
    for file, sentence, verdict, content in requests.ENTRIES + messages.ENTRIES + others.ENTRIES:
        put(folder / file, content)
        verdict = (list(verdict) + ["-"])[:5] if isinstance(verdict, tuple) else verdict
        table.append("\t".join([file, *verdict, sentence]))
    for file, content in requests.HELPERS + messages.HELPERS:
        put(folder / file, content)
    put(folder / "manifest.tsv", ("\n".join(table) + "\n").encode())


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


main(pathlib.Path(sys.argv[1]))

#!/usr/bin/env python3
"""Makes a sample vault of the present format: tests/samples/make.py NAME

A sample is made once for each version of the format, committed as tests/samples/NAME.tar.gz with NAME.json beside it, and never made
again: tests/e2e/095_samples.t shows that every later program still reads and verifies it.
"""
import glob
import hashlib
import json
import os
import re
import shutil
import sys
import tarfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/e2e"))
from veilleuse_site import Node, run  # noqa: E402

name = sys.argv[1]
here = os.path.dirname(os.path.abspath(__file__))


def must(*arguments, **options):
    code, out, err = run(*arguments, **options)
    if code:
        sys.exit(f"{arguments}: {code} {err}")
    return out


def sha(data):
    return hashlib.sha256(data).hexdigest()


node = Node()
try:
    shutil.rmtree(node.dir)
    given_out = must("init", node.dir, "--site", "sample", "--name", "Hôpital d'essai", "--shares", "2/3")
    shares = [words.decode() for words in re.findall(rb"share \d+ of 3:\n([a-z ]+)\n", given_out)]
    # Enough messages for a dictionary to be learnt, published in steps.
    hospital = node.base + "/hospital.hl7"
    must("simulate", "--beds", "16", "--hours", "4", "--seed", "7", "--out", hospital)
    must("import", node.dir, hospital)
    # A document, a new epoch, a recipient who came later, an erased epoch, another origin.
    document = node.base + "/document.hl7"
    with open(document, "wb") as file:
        file.write(b"MSH|^~\\&|ARCHIVE|CHU|DPI|CHU|20261125120000||MDM^T02|D1|P|2.5\rPID|1||9001^^^CHU^PI||ESSAI^ANNE\r"
                   b"TXA|1|CR|TX|||||||||DOC1|||||LA\rOBX|1|TX|1^Compte rendu||" + b"Texte. " * 9000 + b"\r")
    must("import", node.dir, document)
    must("key", "rotate", node.dir)
    cases = node.base + "/cases.hl7"
    with open(cases, "wb") as file:
        for path in sorted(glob.glob(os.path.join(ROOT, "tests/cases/hl7/1*.case")))[:20]:
            with open(path, "rb") as case:
                text = case.read()
            message = text.split(b"--- message\n", 1)[1].split(b"\n\n", 1)[0]
            file.write(message.replace(b"\n", b"\r") + b"\r\n\n")
    must("import", node.dir, cases)
    must("key", "add-recipient", node.dir, "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", "--label", "later", "--past")
    must("import", node.dir, cases)
    must("key", "drop-epoch", node.dir, "2", "--why", "a sample of erasing")
    for line in open(node.dir + "/vault/verifier", encoding="ascii"):
        origin, _, key = line.strip().split("+", 2)
        import base64
        for path in glob.glob("/dev/shm/veilleuse-" + sha(origin.encode() + base64.b64decode(key)[1:])[:16]):
            os.unlink(path)  # as if the machine had been started anew
    must("import", node.dir, cases)
    proof = node.base + "/proof"
    must("prove", node.dir, "3", "--out", node.dir + "/proof")
    report = json.loads(must("verify", node.dir, "--json"))
    facts = {
        "format": 1,
        "shares": shares,
        "origins": [line.split("+")[0] for line in open(node.dir + "/vault/verifier", encoding="ascii")],
        "published": report["published"], "durable": report["durable"], "root": report["root"],
        "blobs": report["blobs"], "erased_keys": report["erased_keys"],
        "raw_sha256": sha(must("cat", node.dir, "--raw")),
        "kinds": {},
    }
    for line in must("cat", node.dir).splitlines():
        kind = json.loads(line)["kind"]
        facts["kinds"][kind] = facts["kinds"].get(kind, 0) + 1
    for part in ("run", "chart", "cache", "lock"):
        path = os.path.join(node.dir, part)
        shutil.rmtree(path, ignore_errors=True)
        if os.path.exists(path):
            os.unlink(path)
    # Segments are made large and end in zeros: what is published of them is not needed.
    for path in glob.glob(node.dir + "/vault/wal/*"):
        os.unlink(path)
    with tarfile.open(os.path.join(here, name + ".tar.gz"), "w:gz", compresslevel=9) as archive:
        archive.add(node.dir, arcname="site")
    with open(os.path.join(here, name + ".json"), "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=1, ensure_ascii=False)
        file.write("\n")
    print(name, os.path.getsize(os.path.join(here, name + ".tar.gz")), "bytes", facts["kinds"])
finally:
    node.close()

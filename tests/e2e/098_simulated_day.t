#!/usr/bin/env python3
"""A simulated day of 300 beds, with its drugs and orders: everything is answered AA, kept as it was sent, and understood; and what is spoilt is kept too."""
import json
import os
import tempfile

from veilleuse_site import FAST, Node, done, note, ok, run, same

BEDS = 60 if FAST else 300
work = tempfile.mkdtemp(prefix="veilleuse-day.")


def day(name, *options):
    """A node that was sent a day: what was sent, and what it set aside."""
    path = os.path.join(work, name)
    code, _, err = run("simulate", "--beds", BEDS, "--seed", 11, "--hours", 24, *options, "--out", path)
    ok(code == 0, f"{name}: the simulator writes a day", err)
    with open(path, "rb") as file:
        sent = [m.strip() for m in file.read().split(b"\n\n") if m.strip()]  # between messages stand ends of lines
    node = Node().start()
    try:
        code, report, err = node.send(path, "--connections", 1)
        same((code, report and report["aa"], report and report["ae"] + report["ar"]), (0, len(sent), 0), f"{name}: all {len(sent)} are answered AA")
        ok([m.strip() for m in node.messages()] == sent, f"{name}: the vault holds each, as it was sent, in order")
        note(node.digest())
        return sent, json.loads(run("chart", node.dir, "aside", "--json")[1])
    finally:
        node.close()
        os.unlink(path)


whole, aside = day("whole")
same(aside, [], "of a whole day nothing is set aside")
for kind in (b"RDE^O11", b"RDS^O13", b"RAS^O17", b"OML^O21", b"ORU^R01"):
    ok(any(b"|" + kind + b"^" in m for m in whole), f"{kind.decode()} is among them")
spoilt, aside = day("spoilt", "--spoilt", 20)
same(len(spoilt), len(whole), "a spoilt day has as many messages")
ok(sum(a != b for a, b in zip(whole, spoilt)) > len(whole) // 100, "and more than one of a hundred is spoilt")
ok(len(aside) < len(spoilt) // 50, f"{len(aside)} are set aside, no more than were spoilt")
os.rmdir(work)
done()

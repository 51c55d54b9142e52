#!/usr/bin/env python3
"""What was set aside is tried again beside the living chart, and taken in when it is understood now."""
import glob
import json
import os
import sqlite3

from veilleuse_site import Node, Sender, ack_code, done, ok, run, same

node = Node().start()
try:
    sender = Sender(node.mllp_port, 4)
    messages = [b"MSH|^~\\&|DPI|CHU|V|V|20261120100000||ADT^A01|1|P|2.5\rEVN|A01|20261120100000\rPID|1||1^^^CHU^PI||DUPONT^Jeanne\rPV1|1|I|CARDIO^1^A\r",
                b"MSH|^~\\&|DPI|CHU|V|V|20261120100100||ADT^A01|2|P|2.5\rPV1|1|I|CARDIO^1^A\r",
                b"this is no message"]
    for message in messages:
        sender.put(message)
        sender.answer()
    code, out, err = run("chart", node.dir, "aside", "--json")
    asides = json.loads(out)
    same(len(asides), 2, "two are set aside")
    code, out, err = run("retry", node.dir, "--json")
    tried = [json.loads(line) for line in out.splitlines()]
    same((code, [t["entry"] for t in tried]), (0, sorted(a["entry"] for a in asides)), "both are tried again, oldest first")
    ok(all(not t["understood"] and t["reason_now"] == t["reason"] for t in tried), "and say why they still are", tried)
    same(len(glob.glob(os.path.join(node.dir, "chart", "retry*"))), 0, "nothing is left of the trial")
    same(run("retry", node.dir, "999")[0], 66, "an entry that is not set aside is refused")
    same(run("retry", node.dir, "x")[0], 64, "so is what is no number")
    same(node.stop(), 0, "clean stop")

    # As if an entry had stopped the program twice: the row alone is made here.
    code, out, err = run("cat", node.dir, "--json")
    good = next(a["index"] for a in map(json.loads, run("cat", node.dir)[1].splitlines()) if "DUPONT" in json.dumps(a))
    generation = open(os.path.join(node.dir, "chart", "current")).read().strip()
    chart = sqlite3.connect(os.path.join(node.dir, "chart", f"{generation}.db"))
    chart.execute("INSERT INTO aside VALUES (?, 0, 'DPI', 'ADT^A01', 'it stopped the program twice', 0)", (good,))
    chart.commit()
    chart.close()
    code, out, err = run("retry", node.dir, str(good), "--dry-run")
    ok(code == 0 and b"now understood" in out and b"1 set aside, 1 now understood" in out, "it would be understood", out, err)
    same(len(json.loads(run("chart", node.dir, "aside")[1])), 3, "a dry run changes nothing")
    code, out, err = run("retry", node.dir)
    ok(code == 0 and b"the chart was made again" in out, "it is taken in", out, err)
    same(sorted(a["entry"] for a in json.loads(run("chart", node.dir, "aside")[1])), sorted(a["entry"] for a in asides),
         "and set aside no more")
    same(len(json.loads(run("chart", node.dir, "census")[1])), 1, "the patient is there")
finally:
    node.close()
done()

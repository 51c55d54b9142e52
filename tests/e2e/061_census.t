#!/usr/bin/env python3
"""A list of who is present: it adds who is missing, marks who is too many, deletes nothing, and outranks nothing."""
import json
import os

from veilleuse_site import Node, Sender, ack_code, done, ok, run, same

node = Node().start()
try:
    sender = Sender(node.mllp_port, 4)

    def say(n, event, pid, pv1, at="20261120100000"):
        sender.put((f"MSH|^~\\&|DPI|CHU|V|V|{at}||ADT^{event}|C{n}|P|2.5\r" f"EVN|{event}|{at}\r" f"PID|1||{pid}\r" f"PV1|1|{pv1}\r").encode())
        same(ack_code(sender.answer())[0], "AA", f"{event} is taken")

    say(1, "A01", "1001^^^CHU^PI||DUPONT^Jeanne||19450714|F", "I|CARDIO^12^A" + "|" * 16 + "V1^^^CHU^VN")
    say(2, "A01", "1002^^^CHU^PI||MARTIN^Paul||19600102|M", "I|CARDIO^13^A" + "|" * 16 + "V2^^^CHU^VN")
    path = os.path.join(node.dir, "census.csv")
    text = ("IPP;Nom;Prénom;Date de naissance;Sexe;IEP;Service;Chambre;Lit\r\n"
            "1001;DUPOND;Jeanne;14/07/1945;F;V1;CARDIO;12;A\r\n"
            "1003;LEFÈVRE;Anaïs;03/02/1980;F;V3;CARDIO;14;\"B;1\"\r\n"
            ";;;;;;;;\r\n"
            "1004;NOËL;Marc;1975-12-25;M;V4;PNEUMO;2;A\r\n")
    with open(path, "wb") as file:
        file.write(text.encode("cp1252"))
    code, out, err = run("census", node.dir, path, "--as-of", "2026-11-21T05:00:00+01:00", "--authority", "CHU")
    same(code, 0, "the census is taken")
    out = out.decode()
    ok("3 listed; 2 known from the census alone; 1 present here and not listed" in out, "and says what differs", out)
    ok("not listed  1002  MARTIN Paul  CARDIO 13 A" in out, "by name", out)

    def rows():
        code, out, err = run("chart", node.dir, "census", "--json")
        same(code, 0, "the chart answers")
        return {row["identifier"]["number"]: row for row in json.loads(out)}

    census = rows()
    same(sorted(census), ["1001", "1002", "1003", "1004"], "everyone is shown")
    same(census["1001"]["family_name"], "DUPONT", "what a system says of a patient holds against the list")
    ok(not census["1001"]["is_from_census"] and census["1001"]["census_at"] == "2026-11-21T04:00:00.000Z", "who is listed says so",
       census["1001"])
    ok(census["1003"]["is_from_census"], "who was missing is from the census")
    same((census["1003"]["family_name"], census["1003"]["given_name"], census["1003"]["birth_date"], census["1003"]["bed"]),
         ("LEFÈVRE", "Anaïs", "1980-02-03", "B;1"), "with every accent")
    same(census["1002"]["census_at"], None, "who is too many was on no list")
    code, out, err = run("chart", node.dir, "state", "--json")
    same(json.loads(out)["census_as_of"], "2026-11-21T04:00:00.000Z", "the chart says as of when its newest census is")

    # A movement arrives late: it takes the patient's place over from the list.
    say(3, "A01", "1003^^^CHU^PI||LEFEVRE^Anaïs||19800203|F", "I|REA^1^A" + "|" * 16 + "V3^^^CHU^VN", "20261119080000")
    census = rows()
    same((census["1003"]["ward"], census["1003"]["is_from_census"], census["1003"]["family_name"]), ("REA", False, "LEFEVRE"),
         "a system's own word takes over, even one said before")

    # The same file again is the same census; one without numbers is none.
    before = node.state()[1]["vault"]["durable"]
    code, out, err = run("census", node.dir, path, "--as-of", "2026-11-21T05:00:00+01:00", "--authority", "CHU")
    same((code, node.state()[1]["vault"]["durable"]), (0, before), "twice is once")
    for bad, why in ((b"Nom;Service\nX;Y\n", "no column with the patients' numbers"), (b"IPP;Nom\n1;X\n", "no column with the wards"),
                     (b"IPP;Service\n", "lists nobody"), (b"", "no column")):
        with open(path, "wb") as file:
            file.write(bad)
        code, out, err = run("census", node.dir, path, "--as-of", "2026-11-21T05:00:00+01:00")
        ok(code == 65 and why in err, f"refused: {why}", code, err)
    code, out, err = run("census", node.dir, path, "--as-of", "yesterday")
    same(code, 64, "a moment that is none is refused")
    code, out, err = run("census", node.dir, "/nonexistent", "--as-of", "2026-11-21T05:00:00Z")
    same(code, 66, "so is a file that is not there")

    # 3,000 lines do not fit into an entry.
    with open(path, "w", encoding="utf-8") as file:
        file.write("patient number,family name,given name,ward,room,bed\n")
        for n in range(3000):
            file.write(f"{20000 + n},PATIENT{n},Anne,W{n % 40},{n % 30},A\n")
    code, out, err = run("census", node.dir, path, "--as-of", "2026-11-22T05:00:00Z", "--authority", "CHU")
    ok(code == 0 and b"3000 listed; 3" in out, "a large census too", out[:200], err)
    same(len(rows()), 3004, "everyone is shown")
    digest = run("chart", node.dir, "digest")[1]
    same(node.stop(), 0, "clean stop")
    same(run("rebuild", node.dir)[0], 0, "rebuilt")
    same(run("chart", node.dir, "digest")[1], digest, "a chart made again says the same")
finally:
    node.close()
done()

#!/usr/bin/env python3
"""Folders: files that arrive in a directory are stored, moved to done/, and shown under their patients; killed at any moment,
nothing is lost and nothing stands twice."""
import http.client
import json
import os
import random
import shutil
import signal
import time

from veilleuse_site import FAST, Node, Sender, adt, done, note, ok, run, same

PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
ROOT = "1.2.250.1.999.1.1"


def cda(number, title, root=ROOT, identity="D1", extra=""):
    return (f'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2" extension="{identity}"/><title>{title}</title>'
            f'<effectiveTime value="20260105"/><recordTarget><patientRole><id root="{root}" extension="{number}"/><patient><name>'
            f'<given>Jeanne</given><family>DUPONT</family></name><birthTime value="19450714"/></patient></patientRole></recordTarget>{extra}'
            f'<component><structuredBody><component><section><title>Avis</title><text><paragraph>Repos</paragraph></text></section>'
            f'</component></structuredBody></component></ClinicalDocument>').encode()


def page(node, path):
    host, port = node.web[len("http://"):].rstrip("/").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request("GET", path, headers={"Accept-Language": "en"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


class Folder:
    def __init__(self, base, name="ged"):
        self.path = os.path.join(base, name)
        os.makedirs(self.path)

    def drop(self, name, data):
        """As a careful sender does: written under another name, then renamed."""
        hidden = os.path.join(self.path, "." + name)
        with open(hidden, "wb") as file:
            file.write(data)
        os.rename(hidden, os.path.join(self.path, name))

    def files(self):
        return sorted(name for name in os.listdir(self.path) if name != "done")

    def done(self):
        try:
            return sorted(os.listdir(os.path.join(self.path, "done")))
        except OSError:
            return []


def documents_of(node, number):
    _, out, _ = run("chart", node.dir, "documents", number, "--json")
    try:
        return json.loads(out)["documents"]
    except (ValueError, KeyError):
        return []


def asides(node):
    _, out, _ = run("chart", node.dir, "aside", "--json")
    try:
        return json.loads(out)
    except (ValueError, KeyError):
        return []


def bodies(node):
    return [entry for entry in node.entries() if entry.get("source", "").startswith("folder/")]


node = Node()
try:
    folder = Folder(node.base)
    # ---- the configuration ----
    conf = os.path.join(node.dir, "veilleuse.conf")
    with open(conf, encoding="utf-8") as file:
        plain = file.read()
    for wrong in ("GED *.pdf HOP PI - /srv/ged", "GED <IPP>_*.pdf HOP PI - ged", "GED <IPP>_*.pdf HOP PI", "- <IPP>.pdf HOP PI - /srv/ged",
                  "GED <IPP>_<IPP>.pdf HOP PI - /srv/ged"):
        with open(conf, "w", encoding="utf-8") as file:
            file.write(plain + f"\nfolder = {wrong}\n")
        code, _, err = run("serve", node.dir)
        ok(code == 78 and "DIRECTORY" in err and "line" in err, f"folder = {wrong}: refused at the start, with its line", code, err)
    with open(conf, "w", encoding="utf-8") as file:
        file.write(plain + f"\nfolder = GED <IPP>_*.pdf HOP PI {ROOT} {folder.path}\n")

    # ---- what is there at the start, and what comes ----
    folder.drop("1_ancien.pdf", PDF)
    node.start()
    ok(node.wait_until(lambda: not folder.files(), 30), "what was there at the start is taken", folder.files())
    same(folder.done(), ["1_ancien.pdf"], "and lies in done/")
    sender = Sender(node.mllp_port)
    sender.ask(adt("A1", 1))
    sender.ask(adt("A2", 2))
    folder.drop("1_scanner thorax.pdf", PDF + b"1")
    folder.drop("lettre.xml", cda(2, "Lettre"))
    folder.drop("messages.hl7", b"".join(adt(f"F{n}", n) + b"\n" for n in (1, 2, 3)))
    folder.drop("grand.hl7", adt("G", 4, text="X" * 5_000_000))
    large = PDF + random.Random(1).randbytes(3_000_000)
    folder.drop("1_grand.pdf", large)
    folder.drop("2_grand.pdf", large)
    folder.drop("sans_numero.pdf", PDF + b"2")
    folder.drop("autre.xml", cda(2, "Autre", root="1.2.3"))
    folder.drop("abime.xml", cda(2, "Abime")[:300])
    folder.drop("rires.xml", b'<!DOCTYPE x [<!ENTITY a "ha">]>' + cda(2, "&a;")[21:])
    folder.drop("note.docx", b"PK\x03\x04 something else")
    ok(node.wait_until(lambda: not folder.files(), 60), "what comes is taken", folder.files())
    same(len(folder.done()), 12, "and moved")
    ok(node.wait_until(lambda: len(documents_of(node, 1)) == 3 and len(documents_of(node, 2)) == 2, 60), "documents stand under their patients",
       documents_of(node, 1), documents_of(node, 2))
    same(sorted(d["title"] for d in documents_of(node, 1)), ["1_ancien.pdf", "1_grand.pdf", "1_scanner thorax.pdf"], "a PDF by its name")
    same(sorted(d["title"] for d in documents_of(node, 2)), ["2_grand.pdf", "Lettre"], "a CDA document by its header; one file for two patients is no repeat")
    _, out, _ = run("chart", node.dir, "patient", "4", "--json")
    ok(b"DUPONT" in out, "messages of a file are messages, the largest too", out[:300])

    # ---- what is set aside says why, and can be looked at ----
    ok(node.wait_until(lambda: len(asides(node)) == 5, 30), "five are set aside", asides(node))
    reasons = sorted(a["reason"] for a in asides(node))
    ok(sum("file's name does not say" in r for r in reasons) == 1 and sum("names no patient number" in r for r in reasons) == 1
       and sum("not well-formed" in r for r in reasons) == 1 and sum("declares a document type" in r for r in reasons) == 1 and sum("neither HL7, PDF nor CDA" in r for r in reasons) == 1, "each says why", reasons)
    nameless = next(a["entry"] for a in asides(node) if "file's name" in a["reason"])
    status, _, body = page(node, f"/entry/{nameless}")
    ok(status == 200 and f"/patient/0/document/{nameless}".encode() in body, "its entry leads to what it holds", status)
    status, _, body = page(node, f"/patient/0/document/{nameless}")
    ok(status == 200 and b"under no patient" in body and b"<iframe" in body, "where it is shown, under nobody's name", status, body[:3000])
    status, headers, body = page(node, f"/patient/0/document/{nameless}/file/0")
    ok(status == 200 and headers["Content-Type"] == "application/pdf" and body == PDF + b"2", "as it came", headers)
    whole = next(d["source"]["entry"] for d in documents_of(node, 1) if d["title"] == "1_grand.pdf")
    status, headers, body = page(node, f"/patient/0/document/{whole}/file/0")
    ok(status == 200 and headers["Content-Type"] == "application/pdf" and body == large, "a PDF of 3 MB goes to the browser whole", status, len(body))
    with open(os.path.join(folder.path, ".enorme.hl7"), "wb") as file:
        file.write(b"MSH|^~\\&|DOC|HOP|VEIL|HOP|20260105080000+0100||MDM^T02|ENORME|P|2.5\rPID|1||5^^^HOP^PI||DUPONT^Jeanne||19450714|F\r"
                   b"TXA|1|DS|PDF|20260105080000||||||||ENORME\rOBX|1|ED|PDF^Scan||^application^pdf^Base64^" + b"QUJD" * 9_000_000 + b"\r")
    os.rename(os.path.join(folder.path, ".enorme.hl7"), os.path.join(folder.path, "enorme.hl7"))
    ok(node.wait_until(lambda: documents_of(node, 5), 60), "a message of 36 MB in a file is taken")
    huge = documents_of(node, 5)[0]["source"]["entry"]
    status, _, body = page(node, f"/patient/0/document/{huge}")
    ok(status == 200 and b"too large to be shown here" in body, "its page says that it is too large, and where it is", status, body[-1500:])
    status, _, body = page(node, f"/patient/0/document/{huge}/file/0")
    ok(status == 413 and b"too large" in body, "and so does its file", status)
    status, _, body = page(node, "/aside")
    ok(b"profile=filed" not in body and b"GED" in body, "the list names the folder")
    state = node.state()[1]
    same((state["ok"], state["roles"]["folder"]["report"]["failed"]), (True, 0), "nothing is wrong with the node")

    # ---- not whole yet ----
    path = os.path.join(folder.path, "2_lent.pdf")
    with open(path, "wb") as file:
        for _ in range(6):
            file.write(PDF)
            file.flush()
            time.sleep(0.7)
        ok("2_lent.pdf" in folder.files() and "2_lent.pdf" not in folder.done(), "a file that is being written is left alone")
    ok(node.wait_until(lambda: "2_lent.pdf" in folder.done(), 30), "until it is closed")
    ok(node.wait_until(lambda: any(d["encapsulated_bytes"] == 6 * len(PDF) for d in documents_of(node, 2)), 30), "then it is whole in the vault", documents_of(node, 2))
    path = os.path.join(folder.path, "2_pause.pdf")
    with open(path, "wb") as file:
        file.write(PDF)
        file.flush()
        ok(node.wait_until(lambda: "2_pause.pdf" in folder.done(), 30), "one whose writer stands still is taken for whole")
        file.write(PDF)
    ok(node.wait_until(lambda: any(d["title"] == "2_pause.pdf" and d["encapsulated_bytes"] == 2 * len(PDF) for d in documents_of(node, 2)), 30),
       "and is taken again when it went on after all", documents_of(node, 2))
    ok(node.wait_until(lambda: "2_pause.pdf" in folder.done() and not folder.files(), 30), "until nobody writes it any more", folder.files())
    for name in ("2_x.pdf.part", "2_x.tmp", ".2_x.pdf"):
        with open(os.path.join(folder.path, name), "wb") as file:
            file.write(PDF)
    os.symlink("/etc/passwd", os.path.join(folder.path, "2_lien.pdf"))
    os.mkfifo(os.path.join(folder.path, "2_tube.pdf"))
    folder.drop("2_apres.pdf", PDF + b"after")
    ok(node.wait_until(lambda: "2_apres.pdf" in folder.done(), 30), "links, pipes and unfinished names are passed over")
    ok(not any(b"root:" in json.dumps(e).encode() for e in bodies(node)), "and what a link points to is not read")
    for name in ("2_x.pdf.part", "2_x.tmp", ".2_x.pdf", "2_lien.pdf", "2_tube.pdf"):
        os.unlink(os.path.join(folder.path, name))

    # ---- the same again ----
    before = len(bodies(node))
    folder.drop("1_ancien.pdf", PDF)  # its time of writing is another: another statement of the same file
    folder.drop("messages.hl7", b"".join(adt(f"F{n}", n) + b"\n" for n in (1, 2, 3)))
    ok(node.wait_until(lambda: not folder.files(), 30), "what comes again is taken again")
    ok("messages.hl7.2" in folder.done() and "1_ancien.pdf.2" in folder.done(), "beside the first in done/", folder.done())
    same(len(bodies(node)) - before, 1, "messages that came before are repeats")

    # ---- killed at any moment ----
    before = len(bodies(node))
    wanted = set()
    seed = int(os.environ.get("SEED", "7"))
    note(f"SEED={seed}")
    rand = random.Random(seed)
    rounds = 6 if FAST else 25
    for n in range(rounds):
        for k in range(4):
            name = f"3_kill{n}-{k}.pdf"
            wanted.add(name)
            folder.drop(name, PDF + f"{n} {k}".encode() + b"x" * rand.choice((10, 60_000, 900_000)))
        time.sleep(rand.random() * 0.15)
        pid = node.role_pid(rand.choice(("folder", "folder", "commit")))
        if pid:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    ok(node.wait_until(lambda: not folder.files(), 120), "after all these kills every file is taken", folder.files()[:5])
    ok(node.wait_until(lambda: {d["title"] for d in documents_of(node, 3)} == wanted, 120), f"all {len(wanted)} documents are there",
       wanted - {d["title"] for d in documents_of(node, 3)})
    same(len(bodies(node)) - before, len(wanted), "and none stands twice")
    node.kill_all()
    folder.drop("3_apres.pdf", PDF + b"last")
    node.start()
    ok(node.wait_until(lambda: "3_apres.pdf" in folder.done(), 60), "killed as a whole, it goes on where it was")

    # ---- what cannot be done is said ----
    if os.geteuid() != 0:
        os.chmod(os.path.join(folder.path, "done"), 0o500)
        folder.drop("3_fige.pdf", PDF + b"stuck")
        ok(node.wait_until(lambda: any("done/" in p for p in node.state()[1]["problems"]), 60), "a file that cannot be moved is a problem that is said")
        os.chmod(os.path.join(folder.path, "done"), 0o700)
    same(node.stop(), 0, "the node stops")
    shutil.rmtree(folder.path)
    node.start()
    ok(node.wait_until(lambda: any("folder" in p for p in node.state()[1]["problems"]), 60), "a folder that is gone is said", node.state()[1]["problems"])
    code, out, _ = run("verify", node.dir, "--json")
    ok(code == 0 and json.loads(out)["whole"], "the vault is whole")
finally:
    node.close()
done()

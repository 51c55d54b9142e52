#!/usr/bin/env python3
"""FHIR that other programs send: stored before it is answered, once however often it comes, refused in its sender's words when it is
wrong; Synthea's bundles with every resource; killed at any moment."""
import collections
import glob
import http.client
import json
import os
import random
import sqlite3
import threading
import time

from veilleuse_site import DATA, FAST, Node, done, note, ok, run, same

SYSTEM = "urn:oid:1.2.250.1.71.4.2.7"


def connect(node):
    host, port = node.web[len("http://"):].rstrip("/").rsplit(":", 1)
    return http.client.HTTPConnection(host, int(port), timeout=60)


def send(node, method, path, body, kind="application/fhir+json", headers=None):
    """Gives (status, headers, JSON or None)."""
    connection = connect(node)
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    try:
        connection.request(method, path, body, {"Content-Type": kind, **(headers or {})})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    try:
        return answer.status, answer.headers, json.loads(text)
    except ValueError:
        return answer.status, answer.headers, None


def durable(node):
    return len(node.entries())


def entry(resource, method="POST", url=None, full=None):
    return {**({"fullUrl": full} if full else {}), "resource": resource,
            "request": {"method": method, "url": url or resource["resourceType"]}}


def patient(number, family="DUPONT", **more):
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": number}], "name": [{"family": family}], **more}


def rows(node, sql):
    path = sorted(glob.glob(node.dir + "/chart/*.db"))[-1]
    base = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return base.execute(sql).fetchall()
    finally:
        base.close()


def in_chart(node, type_name, number=1):
    return node.wait_until(lambda: rows(node, f"SELECT count(*) FROM resource WHERE type = '{type_name}'")[0][0] >= number, 20)


def ask(node, question, number):
    """The list about a patient, whose name is before it."""
    answer = json.loads(run("chart", node.dir, question, number, "--json")[1])
    return answer["reports" if question == "results" else question] if isinstance(answer, dict) else answer


def outcome(name, got, status, word=""):
    ok(got[0] == status and (got[2] or {}).get("resourceType") == "OperationOutcome" and word in json.dumps(got[2]),
       f"{name}: {status} and an OperationOutcome", got[0], got[2])


node = Node()
with open(os.path.join(node.dir, "veilleuse.conf"), "a", encoding="utf-8") as file:
    file.write(f"authority = CHU {SYSTEM} PI\n")
node.start()
try:
    # ---- a Bundle, a resource, an update ----
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [
        entry(patient("4711"), full="urn:uuid:0a0a0a0a-0000-4000-8000-000000000001"),
        entry({"resourceType": "Location", "id": "w", "name": "CARDIO"}, "PUT", "Location/w"),
        entry({"resourceType": "Encounter", "id": "e1", "status": "in-progress", "class": {"code": "IMP"},
               "subject": {"reference": "urn:uuid:0a0a0a0a-0000-4000-8000-000000000001"},
               "period": {"start": "2026-11-20T08:00:00Z"}, "location": [{"location": {"reference": "Location/w"}}]})]}
    before = durable(node)
    status, headers, answer = send(node, "POST", "/fhir", bundle)
    same(status, 200, "a transaction is taken")
    same(durable(node), before + 1, "and is durable when it is answered")
    same((answer["type"], [e["response"]["status"] for e in answer["entry"]]), ("transaction-response", ["201", "200", "201"]),
         "each entry has its answer")
    same(answer["entry"][0]["response"]["location"], "Patient/0a0a0a0a-0000-4000-8000-000000000001", "and its place")
    same(send(node, "POST", "/fhir", bundle)[0], 200, "sent again it is answered again")
    same(durable(node), before + 1, "and not stored again")
    ok(in_chart(node, "Encounter"), "the chart takes it in")
    code, out, err = run("chart", node.dir, "census", "--json")
    census = json.loads(out)
    same([(r["family_name"], r["identifier"]["number"], r["identifier"]["authority"], r["ward"]) for r in census],
         [("DUPONT", "4711", "CHU", "CARDIO")], "the ward shows the patient, by the number and name that HL7 v2 has")

    status, headers, answer = send(node, "POST", "/fhir/Condition", {"resourceType": "Condition", "id": "c1", "code": {"text": "Gout"},
                                   "subject": {"reference": f"Patient?identifier={SYSTEM}|4711"}}, "application/json; charset=UTF-8")
    same((status, headers["Location"]), (201, "/fhir/Condition/c1"), "a resource is created")
    status, headers, answer = send(node, "PUT", "/fhir/Condition/c1", {"resourceType": "Condition", "id": "c1", "code": {"text": "Gout, acute"},
                                   "subject": {"reference": f"Patient?identifier={SYSTEM}|4711"}})
    same((status, headers["Location"]), (200, "/fhir/Condition/c1"), "and updated")
    first = send(node, "POST", "/fhir/Organization", {"resourceType": "Organization", "name": "X"})
    again = send(node, "POST", "/fhir/Organization", {"resourceType": "Organization", "name": "X"})
    same((first[0], again[0], first[1]["Location"]), (201, 200, again[1]["Location"]), "one without an id is named by its content")
    ok(in_chart(node, "Organization"), "and is kept")
    code, out, err = run("chart", node.dir, "diagnoses", "4711", "--json")
    ok("Gout, acute" in out.decode(), "the later version holds", out)
    lines = "\n".join(json.dumps({"resourceType": "Flag", "id": f"f{n}", "status": "active", "code": {"text": "x"},
                                  "subject": {"reference": "Patient/p9"}}) for n in range(50))
    same(send(node, "POST", "/fhir", lines, "application/fhir+ndjson")[0], 200, "NDJSON is taken")
    ok(in_chart(node, "Flag", 50), "with each of its lines")
    large = {"resourceType": "Binary", "id": "big", "contentType": "application/pdf", "data": "A" * (6 << 20)}
    before = durable(node)
    same(send(node, "PUT", "/fhir/Binary/big", large)[0], 200, "a body of 6 MiB is taken")
    same(durable(node), before + 1, "as one entry")
    ok(in_chart(node, "Binary"), "and read whole")
    same(len(rows(node, "SELECT json FROM resource WHERE type = 'Binary'")[0][0]), len(json.dumps(large)), "byte for byte")
    gone = {"resourceType": "Bundle", "type": "transaction", "entry": [{"request": {"method": "DELETE", "url": "Condition/c1"}}]}
    status, headers, answer = send(node, "POST", "/fhir", gone)
    same((status, answer["entry"][0]["response"]["status"]), (200, "204"), "a deletion is taken")
    def gout():
        return [d["is_deleted"] for d in ask(node, "diagnoses", "4711") if d["text"] == "Gout, acute"]

    ok(node.wait_until(lambda: gout() == [True], 20), "and what it said is taken back", gout())

    # ---- what is wrong is refused, in words, and not stored ----
    before = durable(node)
    outcome("no JSON", send(node, "POST", "/fhir/Patient", '{"resourceType":"Patient",}'), 400, "at byte")
    outcome("not UTF-8", send(node, "POST", "/fhir/Patient", b'{"resourceType":"Patient","id":"\xff"}'), 400, "UTF-8")
    outcome("nested too deeply", send(node, "POST", "/fhir/Patient", '{"a":' + "[" * 100000 + "]" * 100000 + "}"), 413, "nested")
    outcome("another type than the URL's", send(node, "POST", "/fhir/Patient", {"resourceType": "Flag"}), 400)
    outcome("another id than the URL's", send(node, "PUT", "/fhir/Patient/a", {"resourceType": "Patient", "id": "b"}), 400)
    outcome("a resource at the base", send(node, "POST", "/fhir", patient("1")), 422)
    outcome("an entry without a resource", send(node, "POST", "/fhir", {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "POST", "url": "Patient"}}]}), 422)
    outcome("a search in a transaction", send(node, "POST", "/fhir", {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "GET", "url": "Patient"}}]}), 400)
    outcome("XML", send(node, "POST", "/fhir/Patient", "<Patient/>", "application/fhir+xml"), 415)
    outcome("Latin-1", send(node, "POST", "/fhir/Patient", patient("1"), "application/fhir+json; charset=iso-8859-1"), 415)
    outcome("a condition", send(node, "PUT", "/fhir/Patient/a", patient("1", id="a"), headers={"If-Match": 'W/"1"'}), 412)
    outcome("a conditional creation", send(node, "POST", "/fhir/Patient", patient("1"), headers={"If-None-Exist": "identifier=1"}), 412)
    outcome("no such place", send(node, "POST", "/fhir/$everything", patient("1")), 404)
    outcome("PUT without an id", send(node, "PUT", "/fhir/Patient", patient("1")), 405)
    outcome("a spoilt line", send(node, "POST", "/fhir", '{"resourceType":"Flag"}\n{"resourceType":\n', "application/fhir+ndjson"), 400)
    same(send(node, "POST", "/", "x", "text/plain")[0], 405, "pages take nothing")
    connection = connect(node)
    connection.putrequest("POST", "/fhir")
    connection.putheader("Content-Type", "application/fhir+json")
    connection.putheader("Content-Length", str(10 << 30))
    connection.endheaders()
    same(connection.getresponse().status, 413, "a body of 10 GiB is refused before it comes")
    connection.close()
    connection = connect(node)
    connection.putrequest("POST", "/fhir/Patient")
    connection.putheader("Content-Type", "application/fhir+json")
    connection.putheader("Content-Length", "1000")
    connection.endheaders()
    connection.send(b'{"resourceType":')
    connection.close()
    same(send(node, "POST", "/fhir/Patient", patient("4712"), headers={"Host": "evil.example"})[0], 421, "another name is not served")
    same(durable(node), before, "nothing of it was stored")
    ok(node.state()[1]["ok"], "and the node is well")

    # ---- tokens ----
    code, out, err = run("token", node.dir, "create", "--name", "LAB", "--scope", "system/Observation.write")
    if code == 0:
        token = next(word for word in out.decode().split() if word.startswith("vlt_"))
        by = {"Authorization": "Bearer " + token}
        observation = {"resourceType": "Observation", "id": "t1", "status": "final", "code": {"text": "K"}, "subject": {"reference": "Patient/1"}}
        outcome("without a token", send(node, "POST", "/fhir/Observation", observation), 401)
        outcome("of another kind than the token's", send(node, "POST", "/fhir/Patient", patient("1"), headers=by), 403)
        outcome("in a Bundle too", send(node, "POST", "/fhir", {"resourceType": "Bundle", "type": "batch", "entry": [entry(patient("1"))]}, headers=by), 403)
        same(send(node, "POST", "/fhir/Observation", observation, headers=by)[0], 201, "a token that may write is let in")
        ok(node.wait_until(lambda: rows(node, "SELECT source FROM resource WHERE id = 't1'") == [("LAB",)], 20),
           "and its name is the source's", rows(node, "SELECT source FROM resource WHERE id = 't1'"))
        os.unlink(os.path.join(node.dir, "access/tokens"))
    else:
        ok(False, "a token is made", err)

    # ---- killed at any moment ----
    answered, stop = [], threading.Event()

    def pour(worker):
        n = 0
        while not stop.is_set():
            n += 1
            name = f"k{worker}-{n}"
            body = {"resourceType": "Observation", "id": name, "status": "final", "code": {"text": "K"}, "subject": {"reference": "Patient/p1"},
                    "note": [{"text": "x" * random.choice((10, 2000, 400000))}]}
            while not stop.is_set():
                try:
                    if send(node, "PUT", "/fhir/Observation/" + name, body)[0] in (200, 201):
                        answered.append(name)
                        break
                except (OSError, http.client.HTTPException):
                    pass
                time.sleep(0.02)

    workers = [threading.Thread(target=pour, args=(w,), daemon=True) for w in range(3)]
    for worker in workers:
        worker.start()
    for _ in range(2 if FAST else 5):
        time.sleep(random.uniform(0.3, 1.2))
        node.kill_all()
        node.start()
    time.sleep(0.5)
    stop.set()
    for worker in workers:
        worker.join(30)
    names = collections.Counter()
    node.wait_until(lambda: node.state()[1]["chart"]["lag"] == 0 if "chart" in (node.state()[1] or {}) else True, 30)
    for (name,) in rows(node, "SELECT id FROM resource WHERE type = 'Observation' AND id LIKE 'k%'"):
        names[name] += 1
    missing = [name for name in answered if name not in names]
    if missing:
        node.wait_until(lambda: not [n for n in answered if not rows(node, f"SELECT 1 FROM resource WHERE id = '{n}'")], 30)
        missing = [n for n in answered if not rows(node, f"SELECT 1 FROM resource WHERE id = '{n}'")]
    same(missing, [], f"everything answered is there ({len(answered)})")
    node.stop()
    same(run("verify", node.dir)[0], 0, "the vault holds")

    # ---- Synthea ----
    files = sorted(glob.glob(os.path.join(DATA, "fhir-r4/synthea/*.json")))
    if files:
        wanted, by_patient = collections.Counter(), {}
        for path in files:
            with open(path, encoding="utf-8") as file:
                resources = [e["resource"] for e in json.load(file)["entry"]]
            kinds = collections.Counter(r["resourceType"] for r in resources)
            for type_name in kinds:
                wanted[type_name] += len({r["id"] for r in resources if r["resourceType"] == type_name})
            for r in resources:
                if r["resourceType"] == "Patient":
                    number = next(i["value"] for i in r["identifier"] if i.get("type", {}).get("coding", [{}])[0].get("code") == "MR")
                    by_patient[number] = kinds
        other = Node()
        started = time.monotonic()
        code, out, err = run("import", other.dir, "--source", "SYN", *files)
        same((code, out.decode().strip()), (0, f"{len(files)} messages, {len(files)} stored, 0 repeats"), "every bundle is an entry")
        run("chart", other.dir, "state")
        took = time.monotonic() - started
        got = dict(rows(other, "SELECT type, count(*) FROM resource GROUP BY type"))
        note(f"{sum(got.values())} resources, {sum(got.values()) / took:.0f} a second")
        shared = {"Organization", "Practitioner"}  # several bundles name the same ones
        same({k: v for k, v in got.items() if k not in shared}, {k: v for k, v in wanted.items() if k not in shared},
             "every resource of every bundle is kept")
        wrong = []
        for number, kinds in by_patient.items():
            for question, type_name in (("diagnoses", "Condition"), ("results", None), ("orders", "MedicationRequest"),
                                        ("administrations", "Immunization"), ("allergies", "AllergyIntolerance")):
                answer = ask(other, question, number)
                count = kinds[type_name] if type_name else kinds["Observation"] + kinds["DiagnosticReport"]
                if len(answer) != count and not (question == "allergies" and count == 0):
                    wrong.append((number[:8], question, len(answer), count))
        same(wrong, [], "each patient has what the bundle says of them")
        # NDJSON: a line is an entry; the same digest from the same resources.
        lines = os.path.join(other.base, "export.ndjson")
        with open(files[0], encoding="utf-8") as file:
            resources = [e["resource"] for e in json.load(file)["entry"]]
        with open(lines, "w", encoding="utf-8") as file:
            file.write("\n".join(json.dumps(r) for r in resources[:200]) + "\n\n")
            file.write(json.dumps({"resourceType": "Binary", "id": "x", "data": "A" * (9 << 20)}))  # no line end behind it
        third = Node()
        same(run("import", third.dir, lines)[1].decode().strip(), "201 messages, 201 stored, 0 repeats", "each line of NDJSON is an entry")
        run("chart", third.dir, "state")
        same(rows(third, "SELECT count(*) FROM resource")[0][0], 201, "each with its resource, one of 9 MiB among them")
        same(run("import", third.dir, lines)[1].decode().strip(), "201 messages, 0 stored, 201 repeats", "twice is once")
        other.close()
        third.close()
    else:
        note("Synthea's bundles are not here")
finally:
    node.close()
done()

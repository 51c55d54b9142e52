#!/usr/bin/env python3
"""The FHIR pages of a running node: what they give is what the chart has, each thing once, under a name that outlasts a rebuild;
tokens; errors that a program understands; the age of the data in every answer."""
import base64
import http.client
import json
import os
import subprocess
from datetime import datetime

from veilleuse_site import DATA, FAST, PROGRAM, Node, adt, done, note, ok, run, same, Sender

node = Node()
tokens = {}


def ask(path, method="GET", headers=None, body=None):
    """(status, headers, JSON or None) of a path below /fhir, or of a whole address."""
    path = path[path.index("/fhir") + 5:] if path.startswith("http") else path
    connection = http.client.HTTPConnection(node.web_option, timeout=60)
    connection.request(method, "/fhir" + path, body=body, headers=headers or {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, json.loads(body) if body else None


def pages(path):
    """Every page from there on."""
    while path:
        status, _, bundle = ask(path)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {bundle}")
        yield bundle
        path = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)


def matches(path):
    return [entry["resource"] for bundle in pages(path) for entry in bundle.get("entry", [])
            if entry["search"]["mode"] == "match"]


def chart(question):
    code, out, err = run("chart", node.dir, question, "--json")
    if code:
        raise RuntimeError(err)
    return json.loads(out)


def chart_is_whole():
    """The node has said how much there is, and that much is in the chart."""
    durable = ((node.state()[1] or {}).get("vault") or {}).get("durable", 0)
    code, out, _ = run("chart", node.dir, "state", "--json")
    return durable > 1 and code == 0 and json.loads(out)["applied"] >= durable


def name_of(resource):
    return f"{resource['resourceType']}/{resource['id']}"


try:
    messages = os.path.join(node.base, "simulated.hl7")
    subprocess.run([PROGRAM, "simulate", "--beds", "12", "--hours", "6" if FAST else "12", "--seed", "7", "--out", messages], check=True)
    code, _, err = run("import", node.dir, messages)
    same(code, 0, "a simulated hospital is taken in")
    real = os.path.join(DATA, "hl7v2")
    if os.path.isdir(real):
        files = [os.path.join(where, name) for where, _, names in os.walk(real) for name in names if "simhospital" not in where]
        code, _, err = run("import", node.dir, *sorted(files))
        note(f"{len(files)} files of real messages too")
    else:
        note("SKIPPED: the shared real messages are not here")
    node.start()
    ok(node.wait_until(chart_is_whole), "the chart has everything")

    # ---- what is offered ----
    status, headers, capability = ask("/metadata")
    same((status, capability["fhirVersion"], headers["content-type"].split(";")[0]),
         (200, "4.0.1", "application/fhir+json"), "metadata: a CapabilityStatement of R4, as FHIR's JSON")
    offered = {resource["type"] for resource in capability["rest"][0]["resource"]}

    # ---- what the chart has ----
    people = chart("patient")
    patients = matches("/Patient?_count=7")
    ok(len(patients) > 10, "there are patients")
    same(len(patients), len(people), "as many Patients as the chart has people")
    same(len({name_of(p) for p in patients}), len(patients), "each of them once, over pages of seven")
    by_number = {(p["identifier"][0].get("value"), p["identifier"][0].get("assigner", {}).get("display")): p for p in patients}
    wrong = []
    for person in people:
        key = (person["identifier"]["number"], person["identifier"]["authority"])
        patient = by_number.get(key) or next((p for p in patients if p["identifier"][0].get("value") == key[0]), None)
        if not patient:
            wrong.append(key)
            continue
        names = [name.get("family") for name in patient.get("name", [])]
        if person["family_name"] and person["family_name"].strip() not in names:
            wrong.append((key, names))
        if person["birth_date"] and patient.get("birthDate") != person["birth_date"]:
            wrong.append((key, person["birth_date"]))
        tags = {tag["code"] for tag in patient.get("meta", {}).get("tag", [])}
        if person["in_doubt"] and "in-doubt" not in tags or person["is_provisional"] and "provisional" not in tags:
            wrong.append((key, "doubt"))
    same(wrong, [], "under the same numbers, with the same names, births and doubts")

    present = sum(stay["is_present"] for person in people for stay in person["stays"])
    here = matches("/Encounter?status=in-progress,onleave&_count=9")
    same(len(here), present, "as many stays in progress as the chart has patients present")
    counted = ask("/Encounter?status=in-progress,onleave&_summary=count")[2]
    same(counted["total"], present, "and the same when they are only counted")

    everything = {}
    # Several patients of the real messages have one number, of different authorities.
    wanted, got, results_differ = {}, {}, []
    for person in chart("results"):
        number = person["identifier"]["number"]
        wanted[number] = wanted.get(number, 0) + sum(len(report["results"]) for report in person["reports"])
    for patient in patients:
        mine = matches(f"/Patient/{patient['id']}/$everything?_count=400")
        for resource in mine:
            if name_of(resource) in everything:
                results_differ.append("twice: " + name_of(resource))
            everything[name_of(resource)] = resource
        number = patient["identifier"][0].get("value")
        got[number] = got.get(number, 0) + sum(resource["resourceType"] == "Observation" for resource in mine)
    results_differ += [(number, wanted[number], got.get(number)) for number in wanted if wanted[number] != got.get(number, 0)]
    same(results_differ, [], "everything of a patient has each result of the chart, once")
    note(f"{len(everything)} resources")
    for resource in matches("/Location"):
        everything[name_of(resource)] = resource

    # ---- references ----
    def references(value):
        if isinstance(value, dict):
            if "reference" in value:
                yield value["reference"]
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    unknown = {reference for resource in everything.values() for reference in references(resource)} - everything.keys()
    gone = [reference for reference in unknown if ask("/" + reference)[0] != 200]
    same(gone, [], "every reference leads to a resource that is here")

    # ---- reads ----
    some = list(everything.values())[::max(1, len(everything) // 60)]
    differs = []
    for resource in some:
        status, headers, read = ask("/" + name_of(resource))
        if status != 200 or read != resource:
            differs.append(name_of(resource))
        again = ask("/" + name_of(resource), headers={"If-None-Match": headers["etag"]})
        if again[0] != 304 or again[2] is not None:
            differs.append(name_of(resource) + " again")
    same(differs, [], "a resource is read as it was found; not modified is said so")
    one = next(r for r in everything.values() if r["resourceType"] == "Patient")
    status, headers, body = ask("/" + name_of(one), method="HEAD")
    ok(status == 200 and body is None and int(headers["content-length"]) > 100, "HEAD: the same without the body")
    status, headers, _ = ask("/" + name_of(one) + "?_pretty=true")
    same(status, 200, "laid out for people")
    ok("veilleuse-data-as-of" in headers and "veilleuse-freshness" in headers, "each answer has the age of the data")
    bundle = ask("/Patient?_count=1")[2]
    tags = {tag["system"]: tag["code"] for tag in bundle["meta"]["tag"]}
    ok(datetime.fromisoformat(tags["urn:veilleuse:data-as-of"].replace("Z", "+00:00")), "and so has each Bundle")

    # ---- Binary: the message that carried a document ----
    letters = [r for r in everything.values() if r["resourceType"] == "DocumentReference"]
    ok(letters, "there are documents")
    if letters:
        url = letters[0]["content"][1]["attachment"]["url"]
        status, _, binary = ask("/" + url)
        same((status, binary.get("resourceType")), (200, "Binary"), "the message of a document is a Binary")
        ok(base64.b64decode(binary["data"]).startswith(b"MSH"), "with its bytes as they came")
    same(ask("/Binary/entry-99999999")[0], 404, "an entry that is not there is not found")

    # ---- the summary ----
    sections = set()
    for patient in patients:
        status, _, summary = ask(f"/Patient/{patient['id']}/$summary")
        if status != 200:
            sections.add(status)
            continue
        here = {entry["fullUrl"] for entry in summary["entry"]}
        for section in summary["entry"][0]["resource"]["section"]:
            code = section["code"]["coding"][0]["code"]
            known = all(any(url.endswith("/" + e["reference"]) for url in here) for e in section.get("entry", []))
            if not known or bool(section.get("entry")) == ("emptyReason" in section):
                sections.add((patient["id"], code))
    same(sections, set(), "each summary has entries or says why not, and all that it refers to")

    # ---- errors ----
    for path, wanted in (("/Patient/none", 404), ("/thing", 404), ("/Procedure/none", 404), ("/Patient?birthdate=today", 400), ("/Patient?_page=0.1", 410),
                         ("/Patient?_format=xml", 406), ("", 400), ("/Patient?name:exact=x", 400)):
        status, _, body = ask(path)
        same((status, body["resourceType"]), (wanted, "OperationOutcome"), f"{path}: {wanted}, with an OperationOutcome")
    same(ask("/Patient", headers={"Accept": "application/fhir+xml"})[0], 406, "XML is not spoken")
    same(ask("/Patient?colour=blue")[0], 200, "an unknown parameter is let pass")
    same(ask("/Patient?colour=blue", headers={"Prefer": "handling=strict"})[0], 400, "unless the client is strict")

    # ---- a search by POST: what is asked stands in no address ----
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    found = [e["resource"] for e in ask("/Encounter?status=in-progress,onleave&_count=300")[2]["entry"] if e["search"]["mode"] == "match"]
    status, _, posted = ask("/Encounter/_search?_count=300", "POST", form, "status=in-progress%2Conleave")
    same((status, [e["resource"] for e in posted["entry"] if e["search"]["mode"] == "match"]), (200, found), "POST _search finds the same")
    same(ask("/Patient/_search", "POST", form, "birthdate=today")[0], 400, "and is refused as a GET would be")
    same(ask("/Patient/_search", "POST", {"Content-Type": "text/plain"}, "x")[0], 415, "a form is wanted")
    same(ask("/Patient/_search", "POST", form, "a=b&" * 8000)[0], 413, "of a size that can be meant")
    same(len([e for e in ask("/Patient/_search", "POST", form, "identifier=%zz+%")[2].get("entry", []) if e["search"]["mode"] == "match"]), 0,
         "with codes that are none")
    status, _, body = ask("/Patient/1/2", "PUT", {"Content-Type": "application/fhir+json"}, "{}")
    same((status, body["resourceType"]), (404, "OperationOutcome"), "what can be sent nowhere is refused with an OperationOutcome")

    # ---- what came as FHIR is given back ----
    sent = {"resourceType": "Procedure", "id": "op-1", "status": "completed", "subject": {"reference": "Patient/op-pat"}, "code": {"text": "Appendicectomie"}}
    same(ask("/Patient/op-pat", "PUT", {"Content-Type": "application/fhir+json"},
             json.dumps({"resourceType": "Patient", "id": "op-pat", "name": [{"family": "LEBEAU"}], "identifier": [{"system": "urn:oid:1.2.3", "value": "OP77"}]}))[0],
         200, "a Patient is sent")
    same(ask("/Procedure/op-1", "PUT", {"Content-Type": "application/fhir+json"}, json.dumps(sent))[0], 200, "and a Procedure")
    ok(node.wait_until(lambda: ask("/Procedure/op-1")[0] == 200), "it is read under its id")
    back = ask("/Procedure/op-1")[2]
    ok(back.pop("meta")["source"].startswith("urn:veilleuse:entry:"), "with the entry that keeps it")
    same(back, sent, "and is what was sent")
    whose = matches("/Patient?identifier=OP77")
    same(len(whose), 1, "its patient is one of the chart")
    same([r["id"] for r in matches(f"/Procedure?patient={whose[0]['id']}")], ["op-1"], "by whom it is found")

    # ---- something new is there ----
    sender = Sender(node.mllp_port)
    sender.ask(adt("NEW1", 987654))
    sender.close()
    ok(node.wait_until(lambda: len(matches("/Patient?identifier=HOP|987654")) == 1), "an admission is found within moments")

    # ---- a rebuild: the same names, and old pages are refused ----
    link = next(item["url"] for item in ask("/Patient?_count=2")[2]["link"] if item["relation"] == "next")
    code, _, err = run("rebuild", node.dir)
    same(code, 0, "the chart is made again")
    ok(node.wait_until(lambda: ask(link)[0] == 410), "a page of the chart before is gone, and says so")
    sample = [name for name in list(everything)[::max(1, len(everything) // 40)]]
    same([name for name in sample if ask("/" + name)[0] != 200], [], "and every resource is found under the name that it had")
    same(sorted(name_of(p) for p in patients), sorted(set(name_of(p) for p in matches("/Patient")) & {name_of(p) for p in patients}),
         "every Patient too")

    # ---- tokens ----
    code, out, err = run("token", node.dir, "create", "--name", "labo", "--scope", "system/Patient.read")
    same(code, 0, "a token is made")
    narrow = out.decode().strip()
    status, headers, body = ask("/Patient")
    same((status, body["resourceType"]), (401, "OperationOutcome"), "from then on none comes in without one")
    ok(headers.get("www-authenticate", "").startswith("Bearer"), "and is told how")
    same(ask("/metadata")[0], 200, "what is offered is nobody's secret")
    bearer = {"Authorization": "Bearer " + narrow}
    same(ask("/Patient", headers=bearer)[0], 200, "with it, its type is read")
    same(ask("/Observation", headers=bearer)[0], 403, "and no other")
    same(ask(f"/Patient/{one['id']}/$everything", headers=bearer)[0], 403, "nor everything")
    same(ask("/Patient", headers={"Authorization": "Bearer " + narrow[:-1] + "0"})[0] if narrow[-1] != "0" else 401, 401, "nearly the token is no token")
    code, out, _ = run("token", node.dir, "create", "--name", "all", "--scope", "system/*.read", "--days", "1")
    wide = {"Authorization": "Bearer " + out.decode().strip()}
    same(ask(f"/Patient/{one['id']}/$summary", headers=wide)[0], 200, "one of every type reads a summary")
    with open(os.path.join(node.dir, "access/tokens"), encoding="utf-8") as file:
        ok(narrow[4:] not in file.read(), "no token stands on the disk")
    ok(narrow[4:] not in node.errors(), "nor in the traces")
    code, out, _ = run("token", node.dir, "list")
    lines = out.decode().splitlines()
    same(len(lines), 2, "both are listed")
    for line in lines:
        same(run("token", node.dir, "revoke", line.split()[0])[0], 0, "revoked")
    same(ask("/Patient", headers=wide)[0], 401, "a revoked token lets nobody in")
    same(ask("/Patient")[0], 401, "and with none left, still nobody comes in without")
    with open(os.path.join(node.dir, "access/tokens"), "w", encoding="utf-8") as file:
        file.write("rubbish\n")
    same(ask("/Patient")[0], 503, "with a file of tokens that cannot be read, nobody is let in")
    os.unlink(os.path.join(node.dir, "access/tokens"))
    same(ask("/Patient")[0], 200, "without the file this machine reads again")
    same(run("token", node.dir, "create", "--name", "x", "--scope", "patient/*.read")[0], 64, "a scope of another form is refused")
    same(node.stop(), 0, "the node ends well")
finally:
    node.close()
done()

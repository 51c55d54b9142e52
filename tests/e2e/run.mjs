// run.mjs - the real program, looked at by a real browser: what a nurse can reach, read and print. Prints TAP.
//
// VEILLEUSE names the program (build/release/veilleuse); pictures go to build/e2e/ (or VEILLEUSE_PICTURES).
// FAST drives each page, but looks at fewer of their guises.

import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.dirname(path.dirname(HERE));
const PROGRAM = process.env.VEILLEUSE || path.join(ROOT, 'build/release/veilleuse');
const PICTURES = process.env.VEILLEUSE_PICTURES || path.join(ROOT, 'build/e2e');
const FAST = Boolean(process.env.FAST);
const CHROMIUM = '/usr/bin/chromium';
const BROWSER_ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

let count = 0;
let failed = 0;

function ok(passed, name, ...notes) {
  count += 1;
  if (!passed) failed += 1;
  console.log(`${passed ? '' : 'not '}ok ${count} - ${name}`);
  if (!passed) {
    for (const note of notes) {
      for (const line of String(note).split('\n').slice(0, 30)) console.log(`# ${line}`);
    }
  }
  return passed;
}

function skipAll(why) {
  console.log(`1..0 # SKIP ${why}`);
  process.exit(0);
}

if (!fs.existsSync(CHROMIUM)) skipAll(`${CHROMIUM} is not installed: the pages were NOT looked at`);
if (!fs.existsSync(PROGRAM)) skipAll(`${PROGRAM} is not built: the pages were NOT looked at`);
const packages = await Promise.all([import('playwright-core'), import('html-validate')]).catch(() => null);
if (!packages) skipAll('the packages are not installed (npm ci in tests/e2e): the pages were NOT looked at');
const [{ chromium }, { HtmlValidate }] = packages;
const AXE = fs.readFileSync(path.join(HERE, 'node_modules/axe-core/axe.min.js'), 'utf8');
const PDFJS = ['pdf.min.js', 'pdf.worker.min.js'].map(
  (name) => fs.readFileSync(path.join(HERE, 'node_modules/pdfjs-dist/build', name), 'utf8'));

// ---- a node with patients ----

function run(...args) {
  return spawnSync(PROGRAM, args, { encoding: 'utf8', timeout: 120000 });
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function startNode() {
  const base = fs.mkdtempSync(path.join(os.tmpdir(), 'veilleuse-e2e.'));
  const dir = path.join(base, 'site');
  const made = run('init', dir, '--site', 'e2e', '--name', "Centre hospitalier d'essai", '--demo');
  if (made.status) throw new Error(`init: ${made.stderr}`);
  const child = spawn(PROGRAM, ['serve', dir, '--mllp', '127.0.0.1:0', '--web', '127.0.0.1:0'],
    { stdio: ['ignore', 'pipe', fs.openSync(path.join(base, 'serve.err'), 'w')] });
  let text = '';
  child.stdout.on('data', (data) => { text += data; });
  for (let i = 0; i < 1800 && !(/^mllp /m.test(text) && /^web /m.test(text)); i += 1) await sleep(100);
  const mllp = /^mllp (\S+)/m.exec(text);
  const web = /^web (\S+)/m.exec(text);
  if (!mllp || !web) throw new Error(`serve did not come up: ${text}${fs.readFileSync(path.join(base, 'serve.err'), 'utf8')}`);
  return { base, dir, child, mllp: mllp[1], web: web[1] };
}

async function stopNode(node) {
  const gone = new Promise((done) => { node.child.once('exit', done); });
  node.child.kill('SIGTERM');
  await Promise.race([gone, sleep(15000)]);
  if (node.child.exitCode === null && node.child.signalCode === null) node.child.kill('SIGKILL');
  fs.rmSync(node.base, { recursive: true, force: true });
}

function ask(node, where, headers = {}) {
  const url = new URL(where, node.web);
  return new Promise((done, fail) => {
    http.get({ host: url.hostname, port: url.port, path: url.pathname + url.search, headers }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (data) => { body += data; });
      answer.on('end', () => done({ status: answer.statusCode, headers: answer.headers, body }));
    }).on('error', fail);
  });
}

async function settled(node, entries) {
  for (let i = 0; i < 1800; i += 1) {
    const { body } = await ask(node, '/healthz');
    try {
      if (JSON.parse(body).applied >= entries) return true;
    } catch { /* not yet */ }
    await sleep(100);
  }
  return false;
}

// What the simulator does not make: hostile names, a long list, a merge, corrected and withdrawn results.
const message = (...segments) => `${segments.join('\r')}\r`;
const msh = (type, id, app = 'GAM') => `MSH|^~\\&|${app}|CHV|VEILLEUSE|CHV|${stamp()}||${type}|${id}|P|2.5|||||FRA|UNICODE UTF-8`;
let second = 0;
function stamp() {
  second += 1;
  const t = new Date(Date.now() - 3600e3 + second * 1000).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return `${t}+0000`;
}
const pid = (number, name, birth, sex, prefix = '') =>
  `PID|1||${number}^^^CHV&1.2.250.1.999.1.1&ISO^PI||${name}^${prefix ? `^${prefix}` : ''}^L||${birth}|${sex}`;
const pv1 = (unit, room, bed, visit) => `PV1|1|I|${unit}^${room}^${bed}^CHV||||||||||||||||${visit}^^^CHV&1.2.250.1.999.1.1&ISO^VN`;
const admit = (id, number, name, birth, sex, bed, ...more) =>
  message(msh('ADT^A01^ADT_A01', id), `EVN|A01|${stamp()}`, pid(number, name, birth, sex), pv1('ESSAI', bed.slice(0, 1), bed, `V${number}`), ...more);
const obx = (n, code, text, value, unit, range, flags, status = 'F', type = 'NM') =>
  `OBX|${n}|${type}|${code}^${text}^LN||${value}|${unit}|${range}|${flags}|||${status}`;
const report = (id, number, filler, panel, ...obxs) =>
  message(msh('ORU^R01^ORU_R01', id, 'LABO'), pid(number, 'DUPONT^Jeanne', '19450714', 'F'),
    `OBR|1||${filler}|${panel}|||${stamp()}|||||||||||||||${stamp()}|||F`, ...obxs);

const HOSTILE = '<script>alert(1)</script>"\'&amp;';
const LONG_ALLERGY = 'Amoxicilline et acide clavulanique, toutes formes orales et injectables, ainsi que les céphalosporines de première génération';
const PANEL = '24323-8^Ionogramme^LN';
const own = () => [
  message(msh('ADT^A01^ADT_A01', 'E1'), `EVN|A01|${stamp()}`,
    'PID|1||4711^^^CHV&1.2.250.1.999.1.1&ISO^PI~245071234567890^^^&1.2.250.1.213.1.4.8&ISO^INS||DUPONT^Jeanne^^^MME^^D~MARTIN^Jeanne^^^^^L||19450714|F||||||||||||||||||||||||VALI',
    pv1('ESSAI', '1', '101', 'V4711'), `AL1|1|DA|J01CR02^${LONG_ALLERGY}^L|SV|Choc anaphylactique`, 'AL1|2|FA|ARA^Arachide^L|MO|Urticaire',
    'DG1|1||I10^Hypertension essentielle^I10||20260105|W'),
  report('E2', 4711, 'F1', PANEL, obx(1, '2951-2', 'Sodium', '138', 'mmol/L', '135-145', ''), obx(2, '2823-3', 'Potassium', '3.1', 'mmol/L', '3.5-5.0', 'L')),
  report('E3', 4711, 'F1', PANEL, obx(1, '2951-2', 'Sodium', '138', 'mmol/L', '135-145', ''), obx(2, '2823-3', 'Potassium', '5.9', 'mmol/L', '3.5-5.0', 'H', 'C')),
  report('E14', 4711, 'F4', '8716-3^Signes vitaux^LN', obx(1, '8310-5', 'Température', '40.1', 'Cel', '36-38', 'HH')),
  report('E4', 4711, 'F2', '1988-5^Protéine C réactive^LN', obx(1, '1988-5', 'CRP', '.5', 'mg/L', '<5', '')),
  report('E5', 4711, 'F3', '718-7^Hémoglobine^LN', obx(1, '718-7', 'Hémoglobine', '9.8', 'g/dL', '12-16', 'L')),
  report('E6', 4711, 'F3', '718-7^Hémoglobine^LN', obx(1, '718-7', 'Hémoglobine', '9.8', 'g/dL', '12-16', 'L', 'D')),
  admit('E7', 4712, 'DUPONT^Jean', '19800101', 'M', '102'),
  admit('E8', 4713, `${HOSTILE.replace(/&/g, '\\T\\')}^Robert`, '19700101', 'M', '103'),
  admit('E9', 4714, 'AB\u202EGNOL\u202C^Noé', '20260801', 'M', '104'),
  message(msh('ADT^A01^ADT_A01', 'E10'), `EVN|A01|${stamp()}`, pid(4715, 'AUCUNE^Allergie', '19991231', 'F'), pv1('ESSAI', '1', '105', 'V4715')),
  admit('E11', 4716, 'ANCIEN^Numéro', '19600202', 'F', '106'),
  message(msh('ADT^A40^ADT_A39', 'E12'), `EVN|A40|${stamp()}`, pid(4717, 'NOUVEAU^Numéro', '19600202', 'F'), 'MRG|4716^^^CHV&1.2.250.1.999.1.1&ISO^PI'),
  message(msh('ZZZ^Z01', 'E13'), 'ZZZ|é'),
];

// ---- documents ----

const base64 = (data) => Buffer.from(data).toString('base64');
function pdfFile(words) {
  const stream = `BT /F1 24 Tf 72 700 Td (${words}) Tj ET`;
  const objects = ['<</Type/Catalog/Pages 2 0 R>>', '<</Type/Pages/Kids[3 0 R]/Count 1>>',
    '<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>',
    `<</Length ${stream.length}>>stream\n${stream}\nendstream`, '<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>'];
  let text = '%PDF-1.4\n';
  const at = objects.map((object, n) => { const here = text.length; text += `${n + 1} 0 obj${object}endobj\n`; return here; });
  const xref = text.length;
  text += `xref\n0 6\n0000000000 65535 f \n${at.map((n) => `${String(n).padStart(10, '0')} 00000 n \n`).join('')}`;
  return `${text}trailer<</Size 6/Root 1 0 R>>\nstartxref\n${xref}\n%%EOF\n`;
}
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAgAAAAIAQMAAAD+wSzIAAAABlBMVEX///+/v7+jQ3Y5AAAADklEQVQI12P4AIX8EAgALgAD/aNpbtEAAAAASUVORK5CYII', 'base64');
const RTF = '{\\rtf1\\ansi\\ansicpg1252{\\fonttbl{\\f0 Arial;}}{\\b Conclusion}\\par Pas d\'\\\'e9panchement {\\deleted 50 mg}5 mg\\par}';
const cdaFile = (birth, text, head = '') => `<?xml version="1.0" encoding="UTF-8"?>${head}<ClinicalDocument xmlns="urn:hl7-org:v3">
<id root="1.2.3" extension="D"/><title>Lettre de liaison</title><effectiveTime value="20260105"/><confidentialityCode code="R"/>
<recordTarget><patientRole><id root="1.9" extension="4711"/><patient><name><given>Jeanne</given><family>DUPONT</family></name>
<birthTime value="${birth}"/></patient></patientRole></recordTarget>
<component><structuredBody><component><section><title>Synthèse</title><text>${text}</text></section></component></structuredBody></component></ClinicalDocument>`;
const NARRATIVE = `<paragraph>Hémoglobine 10<sup>9</sup> <content revised="delete">50 mg</content>&lt;script&gt;alert(1)&lt;/script&gt;</paragraph>
<script>alert(2)</script><list listType="ordered"><item>Repos<list><item>au lit</item></list></item></list>
<table><caption>Bilan</caption><thead><tr><th>Nom</th><th>Valeur</th></tr></thead><tbody><tr><td>Sodium</td><td>140<br/>mmol/L</td></tr></tbody></table>
<paragraph><linkHtml href="javascript:alert(3)">un lien</linkHtml></paragraph>`;
const SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(4)</script></svg>';
const HTML_AS_PDF = '<html><body><script>alert(5)</script></body></html>';
const mdm = (id, event, title, obxs, parent = '', state = 'AU') =>
  message(msh(`MDM^${event}^MDM_T02`, id, 'DOC'), `EVN|${event}|${stamp()}`, pid(4711, 'DUPONT^Jeanne', '19450714', 'F'),
    `TXA|1|CR^Compte rendu|TX|${stamp()}||||||||D-${id}|${parent}||||${state}||||||||${title}`, ...obxs);
const ed = (n, type, subtype, data, name = 'Fichier') => `OBX|${n}|ED|F${n}^${name}||^${type}^${subtype}^Base64^${base64(data)}||||||F`;
const DOCUMENTS = [
  mdm('M1', 'T02', 'Scanner en PDF', [ed(1, 'application', 'pdf', pdfFile('BILAN'))]),
  mdm('M2', 'T02', 'Image', [ed(1, 'image', 'png', PNG), 'OBX|2|TX|T^Texte||lu par\\.br\\le radiologue||||||F']),
  mdm('M3', 'T02', 'Courrier RTF', [ed(1, 'application', 'rtf', RTF)]),
  mdm('M4', 'T02', 'Lettre CDA', [ed(1, 'application', 'xml', cdaFile('19450714', NARRATIVE))]),
  mdm('M5', 'T02', 'Texte', [ed(1, 'text', 'plain', 'première ligne\ndeuxième <b>ligne</b>')]),
  mdm('M6', 'T02', 'Hostile', [ed(1, 'application', 'pdf', HTML_AS_PDF, 'HTML'), ed(2, 'image', 'svg+xml', SVG, 'SVG'), ed(3, 'text', 'html', HTML_AS_PDF, 'Page'),
    ed(4, 'application', 'xml', cdaFile('19450714', '&c;', '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY c "&a;&a;&a;">]>'), 'Rires'),
    `OBX|5|ED|F5^Coupé||^application^pdf^Base64^${base64(pdfFile('X')).slice(0, -3)}||||||F`]),
  mdm('M7', 'T02', "D'une autre", [ed(1, 'application', 'xml', cdaFile('19990101', 'texte'))]),
  mdm('M8', 'T02', 'Première version', [ed(1, 'text', 'plain', 'avant')], '', 'PA'),
  mdm('M9', 'T10', 'Version corrigée', [ed(1, 'text', 'plain', 'après')], 'D-M8'),
  mdm('M10', 'T06', 'Complément', [ed(1, 'text', 'plain', 'en plus')], 'D-M9'),
  message(msh('MDM^T11^MDM_T01', 'M11', 'DOC'), `EVN|T11|${stamp()}`, pid(4711, 'DUPONT^Jeanne', '19450714', 'F'), `TXA|1|CR|TX|${stamp()}||||||||D-M11|||||AU||||||||À ne pas lire`),
  report('M12', 4711, 'F9', 'ECG^Électrocardiogramme^L', ed(1, 'application', 'pdf', pdfFile('ECG'), 'Tracé')),
];

async function fill(node) {
  const simulated = path.join(node.base, 'simulated.hl7');
  const mine = path.join(node.base, 'own.hl7');
  const made = run('simulate', '--beds', '80', '--hours', '24', '--seed', '5', '--out', simulated);
  if (made.status) throw new Error(`simulate: ${made.stderr}`);
  fs.writeFileSync(mine, [...own(), ...DOCUMENTS].join('\n'));
  const parts = [run('send', node.mllp, simulated, '--connections', '4', '--json'), run('send', node.mllp, mine, '--json')];
  for (const part of parts) if (part.status) throw new Error(`send: ${part.stderr}${part.stdout}`);
  const entries = JSON.parse(run('status', node.dir, '--json').stdout).vault.durable;
  ok(await settled(node, entries), `${entries} entries reach the chart`);
}

// ---- the browser ----

// A busy machine is slow, not wrong: nothing here may fail by its time.
const PATIENCE_MS = 180000;
function unhurried(browser) {
  for (const name of ['newPage', 'newContext']) {
    const make = browser[name].bind(browser);
    browser[name] = async (options) => {
      const made = await make(options);
      made.setDefaultTimeout(PATIENCE_MS);
      return made;
    };
  }
  return browser;
}

const picture = (page, name, fullPage = true) => page.screenshot({ path: path.join(PICTURES, `${name}.png`), fullPage });

const validator = new HtmlValidate({
  root: true,
  extends: ['html-validate:recommended'],
  rules: { 'no-trailing-whitespace': 'off', 'void-style': 'off', 'long-title': 'off', 'no-inline-style': 'error' },
});

async function checkHtml(name, html) {
  const result = await validator.validateString(html);
  const lines = result.results.flatMap((r) => r.messages.map((m) => `${m.line}:${m.column} ${m.ruleId}: ${m.message}`));
  ok(result.valid, `html-validate finds nothing on ${name}`, ...lines);
}

async function checkAxe(page, name) {
  if (FAST) return;
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }));
  const lines = violations.flatMap((v) => v.nodes.slice(0, 4).map((n) => `${v.id}: ${n.html.slice(0, 160)} ${n.failureSummary}`));
  ok(violations.length === 0, `axe finds nothing on ${name}`, ...lines);
}

const patientId = (page) => page.evaluate(() => Number(/\/patient\/(\d+)/.exec(location.pathname)[1]));

async function openPatient(page, node, query) {
  await page.goto(`${node.web}search?q=${encodeURIComponent(query)}`);
  if (!/\/patient\//.test(page.url())) await page.locator('main a[href^="/patient/"]').first().click();
  return patientId(page);
}

// The simulated ward with the most patients.
async function largestWard(page, node) {
  await page.goto(node.web);
  return page.locator('main a[href^="/ward/"]').evaluateAll((links) => {
    const size = (link) => Number(/(\d+)\s+patients/.exec(link.innerText)?.[1] ?? 0);
    return links.sort((a, b) => size(b) - size(a))[0].getAttribute('href');
  });
}

async function everyPage(page, node) {
  const id = await openPatient(page, node, '4711');
  const ward = await largestWard(page, node);
  await page.goto(new URL(ward, node.web).href);
  const busy = await page.locator('main a[href^="/patient/"]').first().getAttribute('href');
  const links = await documentLinks(page, node);
  return {
    ...Object.fromEntries(['Lettre CDA', 'Courrier RTF', 'Image', 'Hostile', 'Première version'].map((name, n) => [`document-${n + 1}`, links[name]])),
    home: '/', ward: '/ward/ESSAI', 'ward-simulated': ward, patient: `/patient/${id}`, 'patient-busy': busy, search: '/search?q=dupont',
    'search-empty': '/search', feeds: '/feeds', aside: '/aside', entry: '/entry/1', help: '/help', missing: '/nothing-here',
  };
}

async function looked(browser, node, language, theme, of = '') {
  const context = await browser.newContext({ locale: language === 'fr' ? 'fr-FR' : 'en-GB', viewport: { width: 1280, height: 900 } });
  await context.addCookies([{ name: 'theme', value: theme, url: node.web }]);
  const page = await context.newPage();
  const foreign = [];
  page.on('request', (request) => { if (!request.url().startsWith(node.web)) foreign.push(request.url()); });
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (line) => { if (line.type() === 'error' && !/404|503/.test(line.text())) errors.push(line.text()); });
  for (const [name, where] of Object.entries(await everyPage(page, node))) {
    const answer = await page.goto(new URL(where, node.web).href);
    const title = `${of}${name}, ${language}, ${theme}`;
    if (theme === 'light') await checkHtml(title, await answer.text());
    await checkAxe(page, title);
    await picture(page, `${of}${name}-${language}-${theme}`);
    ok(await page.getAttribute('html', 'lang') === language, `${title}: its language is said`);
  }
  ok(foreign.length === 0, `${language}, ${theme}: no request leaves the node`, ...foreign);
  ok(errors.length === 0, `${language}, ${theme}: no script error`, ...errors);
  await context.close();
}

// ---- what people do ----

async function twoClicks(browser, node) {
  const page = await browser.newPage({ locale: 'fr-FR' });
  await page.goto(node.web);
  await page.locator('main a[href="/ward/ESSAI"]').click();
  ok(/ESSAI/.test(await page.locator('h1').first().textContent()), 'one click: the ward');
  await page.locator('main a', { hasText: 'DUPONT, Jeanne' }).first().click();
  const text = `${await page.locator('.banner').innerText()}\n${await page.locator('main').innerText()}`;
  ok(text.includes(LONG_ALLERGY), 'two clicks: the allergy, never cut');
  ok(text.includes('Choc anaphylactique'), 'and its reaction');
  ok(/INS\s+245071234567890/.test(text), 'the qualified national number');
  ok(/DUPONT, Jeanne \(Mme\)/.test(text), 'her name, as the rule writes it');
  ok(/14-juil\.-1945 \(81 ans\)/.test(text) || /14-juil\.-1945 \(\d+ ans\)/.test(text), 'born, as the rule writes it');
  ok(/Potassium/.test(text) && /5\.9/.test(text), 'and the latest results');
  ok(/3\.1/.test(text), 'a corrected result says what it said before');
  ok(/5\.9 mmol\/L ◆\s+haut/.test(text) && /40\.1 °C ◆\s+haut critique/.test(text), 'what is outside its range is said in words, units as people write them', text);
  ok(/0\.5/.test(text) && !/(^|[^\d.])\.5/.test(text), 'a bare point is never shown');
  ok(!/9\.8/.test(await page.locator('.results').innerText()), 'a deleted result is gone from the list');
  await page.locator('.history summary').click();
  ok(/9\.8/.test(await page.locator('.history').innerText()), 'and present in the history');
  ok(await page.locator('a[href^="/entry/"]').count() > 3, 'figures lead to their sources');
  await page.locator('a[href^="/entry/"]').first().click();
  ok(/MSH\|/.test(await page.locator('main').innerText()), 'the source is the message as it came');
  await page.goBack();
  ok(/DUPONT/.test(await page.locator('.banner').innerText()), 'Back goes back');
  await page.close();
}

async function names(browser, node) {
  const page = await browser.newPage({ locale: 'fr-FR' });
  let dialogs = 0;
  page.on('dialog', (dialog) => { dialogs += 1; dialog.dismiss(); });
  await page.goto(new URL('/ward/ESSAI', node.web).href);
  const text = await page.locator('main').innerText();
  const html = await page.content();
  ok(/MONIT envoie d'anciens messages/.test(await page.locator('.asof').innerText()), 'a system whose messages are old is not shown as fresh');
  ok(dialogs === 0 && text.toUpperCase().includes('<SCRIPT>ALERT(1)</SCRIPT>'), 'a name with markup is text');
  ok(!/[\u202A-\u202E\u2066-\u2069]/.test(html), 'no name reorders its neighbours');
  ok(/Même nom|même nom/.test(text), 'two patients of one name are flagged');
  ok(/non renseign/.test(text), '"not recorded" is said');
  const rows = page.locator('tr', { hasText: 'DUPONT, Jean' });
  ok(await rows.count() === 2, 'both of them');
  await page.close();
}

async function searching(browser, node) {
  const page = await browser.newPage({ locale: 'en-GB' });
  await page.goto(node.web);
  await page.keyboard.press('/');
  ok(await page.evaluate(() => document.activeElement && document.activeElement.name) === 'q', 'key /: search');
  await page.keyboard.type('dupont jea');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/search/);
  ok(await page.locator('main a[href^="/patient/"]').count() === 2, 'two are found by the beginnings of words');
  const old = await openPatient(page, node, '4716');
  ok(old > 0 && /NOUVEAU|ANCIEN/.test(await page.locator('.banner').innerText()), 'a merged number leads to the survivor');
  await page.keyboard.press('?');
  await page.waitForURL(/\/help/);
  ok(true, 'key ?: help');
  await page.keyboard.press('g');
  await page.keyboard.press('w');
  await page.waitForURL((url) => url.pathname === '/');
  ok(true, 'keys g w: wards');
  await page.close();
}

async function keyboardOnly(browser, node) {
  const page = await browser.newPage({ locale: 'fr-FR' });
  await page.goto(node.web);
  await page.keyboard.press('Tab');
  ok(await page.evaluate(() => document.activeElement.getAttribute('href')) === '#main', 'the first Tab is the skip link');
  ok(await page.locator(':focus').evaluate((element) => element.getBoundingClientRect().left >= 0), 'and it can be seen');
  await page.keyboard.press('Enter');
  let steps = 0;
  for (; steps < 60; steps += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(() => document.activeElement.getAttribute('href') === '/ward/ESSAI')) break;
  }
  ok(steps < 60, 'the ward is reached by Tab alone');
  const outline = await page.locator(':focus').evaluate((e) => getComputedStyle(e).outlineStyle);
  ok(outline !== 'none', 'and the focus is seen');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/ward\/ESSAI/);
  ok(true, 'Enter opens it');
  await page.close();
}

async function noScript(browser, node) {
  const context = await browser.newContext({ javaScriptEnabled: false, locale: 'fr-FR' });
  const page = await context.newPage();
  await page.goto(node.web);
  await page.locator('main a[href="/ward/ESSAI"]').click();
  await page.locator('main a', { hasText: 'DUPONT, Jeanne' }).first().click();
  ok((await page.locator('.banner').innerText()).includes('Choc anaphylactique'), 'without script: two clicks to the allergy');
  await page.locator('input[name=q]').fill('dupont');
  await page.locator('form button').first().click();
  ok(/search/.test(page.url()), 'without script: search');
  await page.goto(new URL('/?lang=en', node.web).href);
  ok(await page.locator('html').getAttribute('lang') === 'en' && !/lang=/.test(page.url()), 'without script: the language is chosen and kept');
  await page.goto(new URL('/?theme=night', node.web).href);
  ok(await page.locator('html').getAttribute('data-theme') === 'night', 'without script: so is the night');
  await context.close();
}

async function phone(browser, node, languages = FAST ? ['fr'] : ['fr', 'en'], of = '') {
  for (const language of languages) {
    const locale = language === 'fr' ? 'fr-FR' : 'en-GB';
    const context = await browser.newContext({ locale, viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
    const page = await context.newPage();
    for (const [simple, where] of Object.entries(await everyPage(page, node))) {
      const name = of + simple;
      await page.goto(new URL(where, node.web).href);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      ok(width <= 361, `${name}, ${language}: fits a screen of 360 pixels`, `it is ${width} wide`);
      const cut = await page.locator('.wide').evaluateAll((all) => all.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.getAttribute('aria-label')));
      ok(cut.length === 0, `${name}, ${language}: no table is cut at the edge of the screen`, ...cut);
      await checkAxe(page, `${name}, ${language}, phone`);
      await picture(page, `${name}-${language}-phone`);
    }
    await context.close();
  }
}

async function darkByTheBrowser(browser, node) {
  const context = await browser.newContext({ colorScheme: 'dark', locale: 'fr-FR' });
  const page = await context.newPage();
  await page.goto(node.web);
  const ground = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const sum = ground.match(/\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0);
  ok(sum < 150, 'a dark screen gets the night by itself', ground);
  await context.close();
}

// ---- paper ----

async function pagesOf(browser, pdf, name) {
  const page = await browser.newPage({ viewport: { width: 900, height: 1270 } });
  for (const content of PDFJS) await page.addScriptTag({ content });
  const pages = await page.evaluate(async (base64) => {
    const data = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const document_ = await globalThis.pdfjsLib.getDocument({ data, isEvalSupported: false }).promise;
    const out = [];
    for (let n = 1; n <= document_.numPages; n += 1) {
      const sheet = await document_.getPage(n);
      const text = (await sheet.getTextContent()).items.map((item) => item.str).join(' ');
      const viewport = sheet.getViewport({ scale: 1.4 });
      const canvas = document.createElement('canvas');
      canvas.width = viewport.width;
      canvas.height = viewport.height;
      await sheet.render({ canvasContext: canvas.getContext('2d'), viewport }).promise;
      out.push({ text, png: canvas.toDataURL('image/png').split(',')[1] });
    }
    return out;
  }, pdf.toString('base64'));
  pages.forEach((sheet, n) => fs.writeFileSync(path.join(PICTURES, `print-${name}-${n + 1}.png`), Buffer.from(sheet.png, 'base64')));
  await page.close();
  return pages.map((sheet) => sheet.text);
}

async function paper(browser, node) {
  const page = await browser.newPage({ locale: 'fr-FR', colorScheme: 'dark' });
  const id = await openPatient(page, node, '4711');
  const ward = await largestWard(page, node);
  await page.goto(new URL(ward, node.web).href);
  const busy = await page.locator('main a[href^="/patient/"]').first().getAttribute('href');
  const links = await documentLinks(page, node);
  for (const [name, where] of [['patient', `/patient/${id}`], ['document', links['Lettre CDA']], ['patient-long', busy], ['ward', ward]]) {
    await page.goto(new URL(where, node.web).href);
    const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true });
    fs.writeFileSync(path.join(PICTURES, `print-${name}.pdf`), pdf);
    const who = name === 'ward' ? null : await page.locator('.banner .name').innerText();
    await page.emulateMedia({ media: 'print' });
    await page.setViewportSize({ width: 703, height: 1000 }); // 186 mm between the margins of A4
    const over = await page.evaluate(() => document.documentElement.scrollWidth);
    ok(over <= 704, `${name}: nothing is cut at the edge of the paper`, `it is ${over} wide`);
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ media: null });
    const sheets = await pagesOf(browser, pdf, name);
    const flat = (text) => text.replace(/\s+/g, '');
    ok(sheets.length > 0 && sheets.every((text, n) => flat(text).includes(`${n + 1}/${sheets.length}`)), `${name}: n/N on each of ${sheets.length} sheets`);
    ok(sheets.every((text) => flat(text).includes(flat('Données au'))), `${name}: the age of the data on each sheet`);
    if (name === 'patient') ok(sheets.every((text) => flat(text).includes('Arachide')), `${name}: the allergies on each sheet`);
    if (who) ok(sheets.every((text) => flat(text).includes(flat(who))), `${name}: the banner on each sheet`, who);
    const ground = await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
      .then(() => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor));
    ok(/255, 255, 255/.test(ground), `${name}: paper is light, whatever the screen`, ground);
    await page.emulateMedia({ media: null, colorScheme: 'dark' });
  }
  await page.close();
}

// ---- a moment of the past ----

async function startViewer(node) {
  const file = path.join(node.base, 'past.db');
  const { durable } = JSON.parse(run('status', node.dir, '--json').stdout).vault;
  const made = run('rebuild', node.dir, '--until-entry', String(durable - 1), '--out', file);
  if (made.status) throw new Error(`rebuild: ${made.stderr}`);
  const child = spawn(PROGRAM, ['serve', node.dir, '--chart', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (data) => { text += data; });
  for (let i = 0; i < 1800 && !/^web /m.test(text); i += 1) await sleep(100);
  if (!/^web /m.test(text)) throw new Error('the viewer did not come up');
  return { child, web: /^web (\S+)/m.exec(text)[1] };
}

// Scrolled down, on whatever screen, the banner stands over all else, and covers nothing that stays at the top with it.
async function bannerStays(page, name) {
  await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
  const seen = await page.evaluate(() => {
    const banner = document.querySelector('body > .past').getBoundingClientRect();
    const over = document.elementFromPoint(innerWidth / 2, banner.top + banner.height / 2);
    const patient = document.querySelector('.banner');
    const stays = patient && getComputedStyle(patient).position === 'sticky';
    return {
      top: banner.top, words: over && over.closest('.past') !== null,
      free: !stays || patient.getBoundingClientRect().top < 0 || patient.querySelector('.name').getBoundingClientRect().top >= banner.bottom,
    };
  });
  ok(seen.top === 0 && seen.words && seen.free, `${name}: the banner stays, over all else`, JSON.stringify(seen));
  await page.evaluate(() => window.scrollTo(0, 0));
}

async function past(browser, node) {
  const viewer = await startViewer(node);
  try {
    for (const [language, theme] of [['fr', 'light'], ['en', 'night']]) await looked(browser, viewer, language, theme, 'past-');
    await phone(browser, viewer, ['fr'], 'past-');
    const page = await browser.newPage({ locale: 'fr-FR' });
    const busy = (await everyPage(page, viewer))['patient-busy'];
    for (const width of [1280, 1000, 960, 800, 641, 390]) {
      await page.setViewportSize({ width, height: 600 });
      await page.goto(new URL(busy, viewer.web).href);
      await bannerStays(page, `${width} pixels`);
    }
    ok(/PAS le présent/.test(await page.innerText('body > .past')) && /^◄◄ État au/.test(await page.title()), 'the banner, and the title of the window');
    await page.setViewportSize({ width: 1280, height: 900 });
    const sheets = await pagesOf(browser, await page.pdf({ preferCSSPageSize: true, printBackground: false }), 'past-patient');
    ok(sheets.length > 1 && sheets.every((text) => /PASleprésent/.test(text.replace(/\s+/g, ''))), `the banner on each of ${sheets.length} sheets of paper`);
    await page.emulateMedia({ media: 'print' });
    const frame = await page.locator('.running .past').evaluate((e) => getComputedStyle(e).borderTopStyle + getComputedStyle(e).color);
    ok(frame === 'doublergb(0, 0, 0)', 'in a frame that needs neither colour nor background', frame);
    await page.close();
  } finally {
    const gone = new Promise((done) => { viewer.child.once('exit', done); });
    viewer.child.kill('SIGTERM');
    await Promise.race([gone, sleep(15000)]);
  }
}

async function documentLinks(page, node) {
  await openPatient(page, node, '4711');
  const links = await page.locator('.document > a:first-child').evaluateAll((all) => all.map((a) => [a.innerText, a.getAttribute('href')]));
  return Object.fromEntries(links);
}

function askBytes(node, where) {
  return new Promise((done, fail) => {
    http.get(new URL(where, node.web), (answer) => {
      const parts = [];
      answer.on('data', (data) => parts.push(data));
      answer.on('end', () => done({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
    }).on('error', fail);
  });
}

async function documents(browser, node) {
  const page = await browser.newPage({ locale: 'fr-FR' });
  let dialogs = 0;
  const foreign = [];
  page.on('dialog', (dialog) => { dialogs += 1; dialog.dismiss(); });
  page.on('request', (request) => { if (!/^chrome/.test(request.url()) && !request.url().startsWith(node.web)) foreign.push(request.url()); });
  const links = await documentLinks(page, node);
  const at = async (name) => { await page.goto(new URL(links[name], node.web).href); return page.locator('main').innerText(); };
  ok(Object.keys(links).length === 11, 'the chart lists each document', JSON.stringify(links));

  let text = await at('Scanner en PDF');
  ok(/DUPONT, Jeanne/.test(await page.locator('.banner').innerText()) && /Arachide/.test(text), 'a document has the banner of its patient');
  const pdf = await askBytes(node, `${links['Scanner en PDF']}/file/0`);
  ok(pdf.status === 200 && pdf.headers['content-type'] === 'application/pdf' && pdf.body.toString('latin1') === pdfFile('BILAN'), 'a PDF comes out as it was sent');
  ok(pdf.headers['x-content-type-options'] === 'nosniff' && /default-src 'none'/.test(pdf.headers['content-security-policy'])
    && /; sandbox$/.test(pdf.headers['content-security-policy']) && !pdf.headers['content-disposition'], 'inline, and may do nothing', JSON.stringify(pdf.headers));
  ok(await page.locator('iframe.pdf').count() === 1, 'in a frame of the page');
  await page.waitForTimeout(2000);
  await picture(page, 'document-pdf');
  const saved = await askBytes(node, `${links['Scanner en PDF']}/file/0?raw=1`);
  ok(saved.headers['content-type'] === 'application/octet-stream' && /^attachment; filename="document-\d+-1\.pdf"$/.test(saved.headers['content-disposition']), 'or as bytes to be kept');

  text = await at('Image');
  ok(/lu par\s+le radiologue/.test(text) && await page.locator('img.scan').evaluate((image) => image.complete && image.naturalWidth === 8), 'a PNG is shown, and the text beside it', text);
  const png = await askBytes(node, `${links.Image}/file/0`);
  ok(png.headers['content-type'] === 'image/png' && /sandbox/.test(png.headers['content-security-policy']), 'as an image and nothing else');
  text = await at('Courrier RTF');
  ok(/Conclusion\s+Pas d'épanchement 5 mg/.test(text) && !/50 mg|Arial/.test(text), 'RTF is its text, without what was struck out', text);
  text = await at('Texte');
  ok(/première ligne\s+deuxième <b>ligne<\/b>/.test(text), 'text is text', text);

  text = await at('Lettre CDA');
  ok(/Lettre de liaison/.test(text) && /Synthèse/.test(text) && /10\^9 <script>alert\(1\)<\/script>/.test(text) && !/50 mg/.test(text), 'the narrative of a CDA document', text);
  ok(await page.locator('.narrative table td').count() === 2 && await page.locator('.narrative a, .narrative script').count() === 0, 'its tables are tables, its links and scripts are none');
  ok(/rayé/.test(text) && /restreinte/.test(text), 'what was left out is said, and that it is confidential', text);
  text = await at("D'une autre");
  ok(/nomme lui-même un autre patient/.test(text), 'a document that names another patient says so');

  text = await at('Hostile');
  ok(await page.locator('iframe, img.scan').count() === 0, 'nothing hostile is embedded');
  ok((text.match(/ne sont pas ce que/g) || []).length === 1 && /abîmé ou trop grand/.test(text) && /déclare un type de document/.test(text) && (text.match(/de ce type ne sont pas/g) || []).length === 2 && /abîmé ou coupé/.test(text), 'and each says why', text);
  for (let n = 0; n < 5; n += 1) {
    const file = await askBytes(node, `${links.Hostile}/file/${n}`);
    ok(file.headers['content-type'] === 'application/octet-stream' && /attachment/.test(file.headers['content-disposition']) && /sandbox/.test(file.headers['content-security-policy']),
      `hostile file ${n + 1} is never more than bytes to be kept`, JSON.stringify(file.headers));
  }
  ok((await askBytes(node, `${links.Hostile}/file/1`)).body.toString() === SVG, 'which are those that came');

  text = await at('Première version');
  ok(/remplacé par\s+Version corrigée/.test(text) && /pas encore signé/.test(text), 'a replaced document says by what', text);
  await page.locator('.document-state a', { hasText: 'Version corrigée' }).click();
  text = await page.locator('main').innerText();
  ok(/après/.test(text) && /remplace\s+Première version/.test(text) && /avec un complément :\s+Complément/.test(text), 'and leads there; an addendum stands beside its parent', text);
  text = await at('À ne pas lire');
  ok(/annulé par son émetteur/.test(text), 'a cancelled one says so', text);

  const id = await openPatient(page, node, '4711');
  await page.locator('.report a', { hasText: 'ouvrir le fichier' }).first().click();
  ok(await page.locator('iframe.pdf').count() === 1 && /Électrocardiogramme/.test(await page.locator('h1').innerText()), 'a file among results is opened from them');
  const other = await openPatient(page, node, '4712');
  const entry = /document\/(\d+)/.exec(links.Texte)[1];
  for (const wrong of [`/patient/${other}/document/${entry}`, `/patient/${other}/document/${entry}/file/0`, `/patient/${id}/document/1`, `${links.Texte}/file/9`, `${links.Texte}/file/x`,
    `${links.Image}/file/0/body`, `${links.Image}/file/0/other`, `/patient/${id}/document/`, `/patient/${id}/document/999999`]) {
    ok((await ask(node, wrong)).status === 404, `${wrong}: there is none, and none of another patient`);
  }
  ok(dialogs === 0 && foreign.length === 0, 'no script ran, nothing was fetched from elsewhere', ...foreign);
  await page.close();
}

// ---- what is refused, what is promised ----

async function promises(node) {
  const home = await ask(node, '/');
  ok(home.body.length < 30000, 'the first page is under 30 kB', home.body.length);
  const policy = home.headers['content-security-policy'] || '';
  ok(["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
    .every((part) => policy.includes(part)) && !/unsafe/.test(policy), 'a strict content security policy', policy);
  ok(/no-store/.test(home.headers['cache-control']), 'patient pages are not kept');
  ok(home.headers['x-content-type-options'] === 'nosniff' && home.headers['referrer-policy'] === 'no-referrer', 'no sniffing, no referrer');
  for (const host of ['evil.example', '127.evil.example', 'localhost.evil.example', '127.0.0.1.evil.example']) {
    ok((await ask(node, '/', { Host: host })).status === 421, `the name ${host} is not served`);
  }
  ok((await ask(node, '/', { Host: 'localhost:1' })).status === 200, 'localhost is');
  ok((await ask(node, '/static/../../etc/passwd')).status === 404, 'no path leads out');
  ok((await ask(node, '/entry/999999999')).status === 404, 'an entry that does not exist');
  ok((await ask(node, '/patient/999999999')).status === 404, 'a patient who does not exist');
  ok((await ask(node, '/patient/x')).status === 404, 'a patient who is no number');
  const english = await ask(node, '/', { 'Accept-Language': 'de, en;q=0.8, fr;q=0.5' });
  ok(/<html lang="en"/.test(english.body), 'a browser that prefers English gets it');
  ok(/<html lang="fr"/.test((await ask(node, '/', { 'Accept-Language': 'fr-CH, en;q=0.9' })).body), 'and one that prefers French, French');
  ok(/<html lang="fr"/.test((await ask(node, '/', { 'Accept-Language': 'de' })).body), 'any other gets French');
}

async function main() {
  fs.mkdirSync(PICTURES, { recursive: true });
  const node = await startNode();
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'veilleuse-browser.'));
  let browser = null;
  try {
    await fill(node);
    await promises(node);
    browser = unhurried(await chromium.launch({
      executablePath: CHROMIUM, args: BROWSER_ARGUMENTS, timeout: PATIENCE_MS, env: { ...process.env, HOME: profile },
    }));
    await twoClicks(browser, node);
    await names(browser, node);
    await searching(browser, node);
    await keyboardOnly(browser, node);
    await documents(browser, node);
    await noScript(browser, node);
    await darkByTheBrowser(browser, node);
    for (const language of ['fr', 'en']) {
      for (const theme of FAST ? [language === 'fr' ? 'light' : 'night'] : ['light', 'night']) await looked(browser, node, language, theme);
    }
    await phone(browser, node);
    await paper(browser, node);
    await past(browser, node);
  } catch (error) {
    ok(false, 'the browser goes through to the end', error.stack);
  } finally {
    if (browser) await browser.close();
    await stopNode(node);
    fs.rmSync(profile, { recursive: true, force: true });
  }
  console.log(`1..${count}`);
  process.exit(failed ? 1 : 0);
}

await main();

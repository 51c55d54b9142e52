/* page.js - keys, and word of new data. Everything works without it; it never moves what is on the page. */
(function () {
  "use strict";
  var keysOff = false;
  try { keysOff = localStorage.getItem("keys") === "off"; } catch (e) { keysOff = false; }
  var french = document.documentElement.lang === "fr";
  var waiting = "";

  function typing(target) {
    return target && (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable);
  }
  document.addEventListener("keydown", function (event) {
    if (keysOff || typing(event.target) || event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (waiting === "g") {
      waiting = "";
      if (event.key === "w") { location.href = "/"; }
      if (event.key === "f") { location.href = "/feeds"; }
      return;
    }
    if (event.key === "/") { event.preventDefault(); document.getElementById("q").focus(); }
    if (event.key === "?") { location.href = "/help"; }
    if (event.key === "g") { waiting = "g"; setTimeout(function () { waiting = ""; }, 1500); }
  });
  var button = document.getElementById("keys");
  if (button) {
    button.addEventListener("click", function () {
      keysOff = !keysOff;
      try { localStorage.setItem("keys", keysOff ? "off" : "on"); } catch (e) { return; }
    });
  }

  /* Nothing new comes to a moment of the past. */
  if (document.documentElement.hasAttribute("data-past")) { return; }

  /* A strip at the foot of the window says that there is more, or that nobody answers. */
  var strip = document.createElement("p");
  strip.className = "strip";
  strip.setAttribute("role", "status");
  document.body.appendChild(strip);
  var applied = document.body.dataset.applied, answered = Date.now();
  function say(text, link) {
    strip.textContent = text;
    if (link) {
      var a = document.createElement("a");
      a.href = location.href;
      a.textContent = french ? " Recharger" : " Reload";
      strip.appendChild(a);
    }
  }
  function clock(t) { return new Date(t).toTimeString().slice(0, 5); }
  function ask() {
    fetch("/healthz", { cache: "no-store" }).then(function (answer) { return answer.json(); }).then(function (state) {
      answered = Date.now();
      if (String(state.applied) !== applied) { say(french ? "De nouvelles données sont arrivées." : "New data have come.", true); }
    }).catch(function () {
      if (Date.now() - answered > 60000) {
        say(french ? "Cette page n'est plus actualisée depuis " + clock(answered) : "This page is not being refreshed since " + clock(answered), true);
      }
    });
  }
  setInterval(ask, 20000);
})();

// Says what is missing where modules cannot run, and so not main.js either.
(function () {
  var note = document.getElementById("note");
  if (location.protocol === "file:") {
    note.textContent =
      "This page needs a web server, as browsers let a file load no others. " +
      "In its folder run: python3 -m http.server 8000 - and open " +
      "http://localhost:8000 then.";
    note.className = "fault";
  } else if (
    !("noModule" in HTMLScriptElement.prototype) || !window.WebAssembly
  ) {
    note.textContent = "This browser is too old for the page: take a newer one.";
    note.className = "fault";
  }
})();

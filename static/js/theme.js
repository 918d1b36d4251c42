// Runs before the first paint, so that a chosen theme does not flash. Not a module for that reason.
(function () {
  "use strict";
  try {
    var chosen = localStorage.getItem("hookserver.theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch (error) { /* storage is blocked: the system's preference stands */ }
})();

// Before anything is painted, so that a dark page never flashes white.
(() => {
  const key = "coordinator-theme";
  const apply = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  let chosen = "";
  try {
    chosen = localStorage.getItem(key) || "";
  } catch {
    // A browser that keeps nothing follows the system.
  }
  apply(chosen);
  addEventListener("DOMContentLoaded", () => {
    const select = document.getElementById("theme");
    select.value = chosen;
    select.addEventListener("change", () => {
      apply(select.value);
      try {
        localStorage.setItem(key, select.value);
      } catch {
        // Then it holds until the page is left.
      }
    });
  });
})();

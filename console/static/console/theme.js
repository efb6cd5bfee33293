// Light or dark is chosen once, here or on the dashboard, and holds for both.

(() => {
  const key = "coordinator-theme";
  const unfold = "adminTheme";
  const apply = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  try {
    const chosen = localStorage.getItem(key) || "";
    localStorage.setItem(unfold, JSON.stringify(chosen || "auto"));
    apply(chosen);
  } catch {
    return; // A browser that keeps nothing follows the system.
  }
  document.addEventListener("alpine:initialized", () => {
    Alpine.effect(() => {
      const { adminTheme } = Alpine.$data(document.documentElement);
      const theme = adminTheme === "auto" ? "" : adminTheme;
      apply(theme);
      localStorage.setItem(key, theme);
    });
  });
})();

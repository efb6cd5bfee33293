// The time zone in which times are shown: the one that was chosen, else the browser's own, which a
// cookie tells the server. `<html data-timezone>` has it for the page.

(() => {
  const cookie = (name) => {
    const found = document.cookie.split("; ").find((one) => one.startsWith(`${name}=`));
    // The server puts a value with a slash between quotes.
    return found ? decodeURIComponent(found.slice(name.length + 1)).replaceAll('"', "") : "";
  };
  const isZone = (name) => {
    try {
      return Boolean(name) && Boolean(new Intl.DateTimeFormat("en", { timeZone: name }));
    } catch {
      return false;
    }
  };
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (own && cookie("browser_timezone") !== own) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `browser_timezone=${own}; path=/; max-age=31536000; SameSite=Lax${secure}`;
  }
  const chosen = cookie("timezone");
  document.documentElement.dataset.timezone = isZone(chosen) ? chosen : own;
})();

// Whoever must sign in first comes to the very address afterwards. What stands behind its "#" is known
// to the browser alone, which kept it on the way here.
addEventListener("DOMContentLoaded", () => {
  const field = document.querySelector("#login-form input[name=next]");
  if (location.hash.startsWith("#/") && field && !field.value.includes("#")) {
    field.value = `${field.value || "/"}${location.hash}`;
  }
});

// Lets Unfold's libraries work where a page may have neither inline styles nor inline scripts.
// What they would add as text, `theme.css` has, or is set here as browsers allow a script to.

htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;

// Alpine sets a style as an attribute, which the policy takes for an inline one.
const setAttribute = Element.prototype.setAttribute;
Element.prototype.setAttribute = function (name, value) {
  if (name === "style") this.style.cssText = value;
  else setAttribute.call(this, name, value);
};

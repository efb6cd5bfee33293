// The one place that names the vendored version.
export {
  html, render, Component, useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback,
} from "./vendor/htm-preact-3.1.1/standalone.module.js";

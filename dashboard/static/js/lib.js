// One place where the vendored libraries come in.
import { h, render, Fragment } from "../vendor/preact.js";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact-hooks.js";
import htm from "../vendor/htm.js";
import { signal, computed, effect, batch, useSignal, useComputed } from "../vendor/signals.js";

export const html = htm.bind(h);
export { h, render, Fragment, useEffect, useLayoutEffect, useMemo, useRef, useState };
export { signal, computed, effect, batch, useSignal, useComputed };

// What changed between two texts, word by word: the longest common subsequence (Hunt and McIlroy 1976, in the plain
// quadratic form, which a few hundred words allow). Longer texts are compared line by line.

import { h } from "./dom.js";

const MOST = 1_000_000;

/** Pieces of both texts: [kind, text], kind one of "same", "del", "ins". */
export function diff(before, after) {
  let [a, b] = [words(before), words(after)];
  if (a.length * b.length > MOST) [a, b] = [lines(before), lines(after)];
  if (a.length * b.length > MOST) return [["del", before], ["ins", after]].filter(([, text]) => text);
  return merged(path(a, b));
}

const words = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
const lines = (text) => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

function path(a, b) {
  const wide = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * wide); // (a.length + 1, b.length + 1), filled from the end
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i * wide + j] = a[i] === b[j]
        ? longest[(i + 1) * wide + j + 1] + 1
        : Math.max(longest[(i + 1) * wide + j], longest[i * wide + j + 1]);
    }
  }
  const pieces = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      pieces.push(["same", a[i++]]);
      j++;
    } else if (i < a.length && (j === b.length || longest[(i + 1) * wide + j] >= longest[i * wide + j + 1])) {
      pieces.push(["del", a[i++]]);
    } else {
      pieces.push(["ins", b[j++]]);
    }
  }
  return pieces;
}

function merged(pieces) {
  const found = [];
  for (const [kind, text] of pieces) {
    if (found.at(-1)?.[0] === kind) found.at(-1)[1] += text;
    else found.push([kind, text]);
  }
  return found;
}

/** The pieces as <del> and <ins>, which screen readers announce as such. */
export const shown = (before, after) =>
  diff(before, after).map(([kind, text]) => (kind === "same" ? text : h(kind, {}, text)));

/**
 * Elements of HTML and SVG with their attributes and children. Styles are never set here: the page's policy forbids
 * them, so whatever has a colour has a class.
 */

export type Child = Node | string | null | undefined | false;
export type Attributes = Record<string, string | number | boolean | null | undefined>;

const SVG = 'http://www.w3.org/2000/svg';

function filled<T extends Element>(element: T, attributes: Attributes, children: readonly Child[]): T {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return filled(document.createElement(tag), attributes, children);
}

export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** A name with places to break it at its underscores. */
export function breakable(name: string): DocumentFragment {
  const found = document.createDocumentFragment();
  for (const [place, word] of name.split(/(?<=[_/])/).entries()) {
    if (place > 0) found.append(document.createElement('wbr'));
    found.append(word);
  }
  return found;
}

/** The element `id`: page and script are built together. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new TypeError(`the page has no element with the id ${id}`);
  return found;
}

/**
 * Elements of `index.html` by their id.
 */

/** The element `id`, which must be of `type`: page and script are built together. */
export function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`the page has no ${type.name} with the id ${id}`);
  return found;
}

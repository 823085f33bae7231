/** The data of this report. */

import type { ReportPage } from './data';

/** What this file was filled with. */
export function record(): ReportPage {
  const text = document.getElementById('record')?.textContent ?? '';
  const found: unknown = JSON.parse(text);
  if (typeof found !== 'object' || found === null) throw new TypeError('this file holds no report');
  // It was written by the version that built this page.
  return found as ReportPage;
}

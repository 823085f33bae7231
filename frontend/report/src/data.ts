/**
 * What a report is given: field by field `src/web_terminal_suite/bench/report/html_page.py`, where each is described.
 * Words are printed as they are, arrays are drawn as they are; nothing is computed from them here.
 */

export type ScaleKind = 'linear' | 'log';

export interface Density {
  x: number[];
  y: number[];
}

export interface Percentiles {
  nines: number[];
  value: (number | null)[];
  lower: (number | null)[];
  upper: (number | null)[];
  supported: number;
}

export interface Failure {
  x: number;
  y: number;
  outcome: string;
  reason: string;
}

export interface Block {
  x: number;
  block: number;
  seconds: number;
}

export interface Samples {
  x: number[];
  y: number[];
  label: number[];
  failures: Failure[];
  blocks: Block[];
  drawn: number;
  total: number;
}

/** In `Samples.label`, beyond Tukey's -2 .. 2. */
export const WARM_UP = 9;

export interface Row {
  name: string;
  lower: string;
  value: string;
  upper: string;
  refusal: string;
}

export interface Series {
  label: string;
  terminal: string;
  role: string;
  reference: '' | 'floor' | 'baseline';
  n: number;
  density: Density | null;
  percentiles: Percentiles | null;
  samples: Samples | null;
  lines: Partial<Record<'mean' | 'p50' | 'p95' | 'p99', number>>;
}

export interface Fit {
  terminal: string;
  role: string;
  x: number[];
  y: number[];
  line_x: number[];
  line_y: number[];
  line_lower: number[];
  line_upper: number[];
  words: string;
}

export interface Outlier {
  name: string;
  count: string;
  share: string;
}

export interface HistoryPoint {
  started: string;
  value: number;
  lower: number | null;
  upper: number | null;
  changed: boolean;
  note: string;
}

export interface History {
  terminal: string;
  statistic: string;
  points: HistoryPoint[];
}

export interface Facts {
  terminal: string;
  role: string;
  verdict: string;
  target: string;
  goal: string;
  goal_verdict: string;
  reason: string;
  counts: string;
  rows: Row[];
  floor: string;
  over_floor: Row[];
  changes: Row[];
  change: string;
  outliers: Outlier[];
  outlier_total: string;
  problems: string[];
  warnings: string[];
  pictures: { text: string; href: string }[];
  not_applicable: string;
}

export interface Panel {
  parameter: string;
  metric: string;
  label: string;
  kind: string;
  unit: string;
  scale: ScaleKind;
  domain: [number, number] | null;
  limit: number | null;
  limit_words: string;
  series: Series[];
  fits: Fit[];
  facts: Facts[];
  history: History[];
}

export interface Dot {
  parameter: string;
  x: number | null;
  value: number;
  lower: number | null;
  upper: number | null;
  words: string;
}

export interface Strand {
  label: string;
  terminal: string;
  role: string;
  dots: Dot[];
}

export interface Lines {
  title: string;
  unit: string;
  x_scale: '' | ScaleKind;
  y_scale: ScaleKind;
  strands: Strand[];
}

export interface Course {
  label: string;
  terminal: string;
  y: (number | null)[];
}

export interface Courses {
  title: string;
  unit: string;
  scale: ScaleKind;
  domain: [number, number];
  x: number[];
  courses: Course[];
  borders: { x: number; words: string }[];
  note: string;
}

export interface Violin {
  label: string;
  panel: number;
  series: number;
}

export interface Violins {
  title: string;
  unit: string;
  scale: ScaleKind;
  domain: [number, number];
  violins: Violin[];
}

export interface SummaryRow {
  panel: number;
  parameter: string;
  metric: string;
  terminal: string;
  n: string;
  figures: string[];
  floor: string;
  change: string;
  verdict: string;
}

export interface Benchmark {
  id: string;
  suite: string;
  name: string;
  anchor: string;
  description: string;
  not_shown: string;
  component: boolean;
  verdicts: string[];
  columns: string[];
  summary: SummaryRow[];
  lines: Lines[];
  violins: Violins[];
  panels: Panel[];
  courses: Courses[];
}

export interface Bullet {
  value: number | null;
  lower: number | null;
  upper: number | null;
  goal: number | null;
}

export interface OverviewRow {
  anchor: string;
  panel: number;
  benchmark: string;
  suite: string;
  parameter: string;
  terminal: string;
  role: string;
  statistic: string;
  value: string;
  interval: string;
  target: string;
  goal: string;
  goal_verdict: string;
  floor: string;
  change: string;
  change_words: string;
  verdict: string;
  reason: string;
  bullet: Bullet | null;
  keys: Record<string, number | null>;
}

export interface TerminalWords {
  name: string;
  version: string;
  role: string;
  command: string;
  capabilities: string;
}

/** A ratio with its bounds; above 1 the first terminal is the better. */
export type Place = [value: number, lower: number | null, upper: number | null];

export interface BesideTerminal {
  name: string;
  version: string;
  remarks: string[];
  score: [ahead: number, behind: number, neither: number] | null;
}

/** What is empty is not there. */
export interface BesideFigure {
  value?: string;
  rate?: string;
  ratio?: string;
  interval?: string;
  side?: 'ahead' | 'behind';
  failed?: string;
  client?: string;
  reason?: string;
}

export interface BesideLine {
  anchor: string;
  panel: number;
  suite: string;
  name: string;
  parameter: string;
  statistic: string;
  figures: (BesideFigure | null)[];
}

export interface BesideShort {
  words: string;
  line: number;
  places: (Place | null)[];
  turned: boolean;
}

export interface Beside {
  terminals: BesideTerminal[];
  absent: string[];
  lines: BesideLine[];
  short: BesideShort[];
}

export interface Page {
  title: string;
  brief: boolean;
  started: string;
  level: string;
  exit_code: number;
  exit_words: string;
  partial: string[];
  facts: [string, string][];
  verdicts: Record<string, number>;
  goals: [number, number];
  judged: string;
  overview: OverviewRow[];
  beside: Beside | null;
  baseline: string[];
  benchmarks: Benchmark[];
  terminals: TerminalWords[];
  environment: [string, string, string][];
  options: [string, string][];
  warnings: { seen: string; matters: string; remedy: string }[];
  version: string;
}

/** The data that this file was filled with. */
export function record(): Page {
  const text = document.getElementById('record')?.textContent ?? '';
  const found: unknown = JSON.parse(text);
  if (typeof found !== 'object' || found === null) throw new TypeError('this file holds no report');
  // It was written by the same version that built this page.
  return found as Page;
}

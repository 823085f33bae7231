/**
 * The data that a report is given. Text is printed as it is, arrays are drawn as they are.
 *
 * Generated from `src/web_terminal_suite/bench/report/html/schema`; do not edit. Write it again with:
 *
 *     python -m web_terminal_suite.bench.report.html.typescript > frontend/report/src/data.ts
 */

export type ScaleKind = 'linear' | 'log';

/** What charts draw as a line. */
export type Statistic = 'mean' | 'p50' | 'p95' | 'p99';

/** In `SamplePlot.label`: an operation of the warm-up, beyond Tukey's labels. */
export const WARM_UP = 9;

/**
 * A probability density: `y` at `x`, which is in the unit of the metric.
 *
 * On a log scale `y` is a density over the logarithm of `x`.
 */
export interface DensityCurve {
  x: number[];
  y: number[];
}

/** Quantiles at `1 - 10 ** -nines` with their bounds; `null` where an operation failed or no bound exists. */
export interface PercentileCurve {
  nines: number[];
  value: (number | null)[];
  lower: (number | null)[];
  upper: (number | null)[];
  /** How many of them, from the first, a sample of this size can bound on both sides. */
  supported: number;
}

/** A failed operation. */
export interface FailedOperation {
  /** Its number. */
  x: number;
  /** Time until it had failed. */
  y: number;
  outcome: string;
  reason: string;
}

/** Where a block begins. */
export interface BlockStart {
  /** Number of its first operation. */
  x: number;
  /** Number of the block. */
  block: number;
  /** Seconds into the run. */
  seconds: number;
}

/** Operations in the order in which they were due; where not all are drawn, evenly chosen, outliers separately. */
export interface SamplePlot {
  x: number[];
  y: number[];
  /** Tukey's label of each, -2 to 2, or `WARM_UP`. */
  label: number[];
  failures: FailedOperation[];
  blocks: BlockStart[];
  drawn: number;
  total: number;
}

/** One sample as curves. */
export interface SampleCurves {
  label: string;
  terminal: string;
  role: string;
  /** What the sample is compared with, empty for the panel's own. */
  reference: '' | 'floor' | 'baseline';
  n: number;
  density: DensityCurve | null;
  percentiles: PercentileCurve | null;
  samples: SamplePlot | null;
  /** Statistics to draw as lines, each where the sample supports it. */
  lines: Partial<Record<Statistic, number>>;
}

/** Readings of a slope or a level, and the line through them with the bounds of its mean. */
export interface LineFit {
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

/** A statistic of one earlier run. */
export interface HistoryPoint {
  started: string;
  value: number;
  lower: number | null;
  upper: number | null;
  /** Whether it is the first run after a change point. */
  changed: boolean;
  note: string;
}

/** Earlier runs of one row, oldest first. */
export interface HistoryChart {
  benchmark: string;
  parameter: string;
  terminal: string;
  metric: string;
  statistic: string;
  points: HistoryPoint[];
}

/** A value with its bounds at one parameter. */
export interface ParameterPoint {
  parameter: string;
  /** The parameter as a number, where it is one. */
  x: number | null;
  value: number;
  lower: number | null;
  upper: number | null;
  /** What a reader is told about it. */
  words: string;
}

/** One statistic of one terminal over the parameters. */
export interface ParameterLine {
  label: string;
  terminal: string;
  role: string;
  points: ParameterPoint[];
}

/** A chart over the parameter. */
export interface ParameterChart {
  title: string;
  unit: string;
  /** Empty where the parameters are not numbers. */
  x_scale: '' | 'linear' | 'log';
  y_scale: ScaleKind;
  lines: ParameterLine[];
}

/** One quantity over time. */
export interface TimeSeriesLine {
  label: string;
  terminal: string;
  /** `null` where there is nothing to draw: the line has a gap. */
  y: (number | null)[];
}

/** Where a stage of the run begins. */
export interface StageStart {
  x: number;
  words: string;
}

/** A chart over time. */
export interface TimeSeriesChart {
  title: string;
  unit: string;
  scale: ScaleKind;
  domain: [number, number];
  /** Seconds into the run, shared by all lines. */
  x: number[];
  lines: TimeSeriesLine[];
  stages: StageStart[];
  /** What was left out in drawing, if anything was. */
  note: string;
}

/** A row of a violin chart: the density of a series of a panel. */
export interface Violin {
  label: string;
  panel: number;
  series: number;
}

/** Densities of one metric one below the other, on one axis. */
export interface ViolinChart {
  title: string;
  unit: string;
  scale: ScaleKind;
  domain: [number, number];
  violins: Violin[];
}

/** Where the time of some operations went, on average; the segments add up to the whole. */
export interface WaterfallRow {
  label: string;
  terminal: string;
  /** In the order of the chart's `steps`. */
  segments: number[];
}

/** The steps of an operation one after the other, for each terminal. */
export interface WaterfallChart {
  title: string;
  unit: string;
  steps: string[];
  rows: WaterfallRow[];
  note: string;
}

/** A picture of the screen, and when that was shown. */
export interface FilmstripFrame {
  words: string;
  /** In base64. */
  jpeg: string;
}

/** What was on the screen around one slow operation. */
export interface ScreenStrip {
  terminal: string;
  words: string;
  width: number;
  height: number;
  frames: FilmstripFrame[];
}

/** A judged statistic as a part of its limit: below 1 it keeps the limit, whichever side is the good one. */
export interface BulletBar {
  value: number | null;
  lower: number | null;
  upper: number | null;
  goal: number | null;
}

/** On how many figures a terminal is significantly better than the first, significantly worse, and neither. */
export type ComparisonScore = [better: number, worse: number, neither: number];

/** A ratio with its bounds, `null` where there is none. Above 1 the first terminal is the better. */
export type RatioInterval = [value: number, lower: number | null, upper: number | null];

/** One terminal of the comparison. */
export interface ComparedTerminal {
  name: string;
  version: string;
  remarks: string[];
  /** `null` for the first terminal. */
  score: ComparisonScore | null;
}

/** One figure in words. Empty fields are left out: a report has thousands of figures. */
export interface ComparedFigure {
  value?: string;
  rate?: string;
  ratio?: string;
  interval?: string;
  /** Whether the terminal is significantly ahead of the first or behind it. */
  side?: 'ahead' | 'behind';
  /** How many operations failed, and why. */
  failed?: string;
  /** The client's share of a core, where it is too high for a verdict. */
  client?: string;
  /** Why a value or a ratio is missing. */
  reason?: string;
}

/** One statistic of one metric. */
export interface ComparedRow {
  anchor: string;
  panel: number;
  suite: string;
  name: string;
  parameter: string;
  statistic: string;
  /** In the order of the terminals, `null` where one has no such figure. */
  figures: (ComparedFigure | null)[];
}

/** A row that most readers look for first. */
export interface ComparisonHighlight {
  words: string;
  /** Index of the row in `lines`. */
  line: number;
  /** One for each terminal but the first. */
  ratios: (RatioInterval | null)[];
  /** Whether more is better, so that the ratios are inverted. */
  inverted: boolean;
}

/** The terminals in the order in which they were named; all others are compared with the first. */
export interface ComparisonSection {
  terminals: ComparedTerminal[];
  /** What could not be measured, and why. */
  absent: string[];
  lines: ComparedRow[];
  highlights: ComparisonHighlight[];
}

/** One statistic in words. */
export interface StatisticRow {
  name: string;
  lower: string;
  value: string;
  upper: string;
  /** Why there is no value, where the sample is too small for one. */
  refusal: string;
}

/** One of Tukey's classes with the number of operations in it. */
export interface OutlierClass {
  name: string;
  count: string;
  share: string;
}

/** A file that belongs to the report. */
export interface PageLink {
  text: string;
  href: string;
}

/** What one terminal achieved at one parameter, in words. */
export interface ResultDetails {
  terminal: string;
  role: string;
  verdict: string;
  target: string;
  goal: string;
  goal_verdict: string;
  reason: string;
  counts: string;
  rows: StatisticRow[];
  floor: string;
  over_floor: StatisticRow[];
  changes: StatisticRow[];
  change: string;
  outliers: OutlierClass[];
  outlier_total: string;
  problems: string[];
  warnings: string[];
  flame_graphs: PageLink[];
  not_applicable: string;
}

/** One metric at one parameter, for every terminal that was measured there. */
export interface MetricPanel {
  parameter: string;
  metric: string;
  label: string;
  kind: string;
  unit: string;
  scale: ScaleKind;
  domain: [number, number] | null;
  limit: number | null;
  limit_words: string;
  series: SampleCurves[];
  fits: LineFit[];
  facts: ResultDetails[];
  history: HistoryChart[];
}

/** One cell and metric in the summary of a benchmark. */
export interface SummaryRow {
  panel: number;
  parameter: string;
  metric: string;
  terminal: string;
  n: string;
  /** In the order of the benchmark's `columns`. */
  figures: string[];
  floor: string;
  change: string;
  verdict: string;
}

/** Everything of one benchmark. */
export interface BenchmarkSection {
  id: string;
  suite: string;
  name: string;
  anchor: string;
  description: string;
  /** What its figures do not show. */
  limitations: string;
  component: boolean;
  verdicts: string[];
  columns: string[];
  summary: SummaryRow[];
  lines: ParameterChart[];
  violins: ViolinChart[];
  panels: MetricPanel[];
  time_series: TimeSeriesChart[];
  waterfalls: WaterfallChart[];
  filmstrips: ScreenStrip[];
}

/** One line of the overview. */
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
  bullet: BulletBar | null;
  /** What it is sorted by, by column, where the words do not sort. */
  keys: Record<string, number | null>;
}

/** One terminal in the section on the environment. */
export interface TerminalEntry {
  name: string;
  version: string;
  role: string;
  command: string;
  capabilities: string;
}

/** A warning about the machine. */
export interface EnvironmentWarning {
  seen: string;
  matters: string;
  remedy: string;
}

/** Goals met, and all of them. */
export type GoalCount = [met: number, all: number];

/** The whole report. */
export interface ReportPage {
  title: string;
  /** Whether it has no panels and only describes its benchmarks. */
  brief: boolean;
  started: string;
  level: string;
  exit_code: number;
  /** Empty where it is not shown. */
  exit_words: string;
  /** Why the report covers only a part of the plan; empty where the run is complete. */
  partial: string[];
  facts: [string, string][];
  verdicts: Record<string, number>;
  goals: GoalCount;
  /** Whose targets are counted and listed; empty where those of every terminal are. */
  judged: string;
  overview: OverviewRow[];
  /** `null` where one terminal was measured. */
  comparison: ComparisonSection | null;
  /** What the baseline is and how its machine differs; empty without a baseline. */
  baseline: string[];
  benchmarks: BenchmarkSection[];
  terminals: TerminalEntry[];
  /** Name, value before the run, value after the run where that differs. */
  environment: [string, string, string][];
  options: [string, string][];
  warnings: EnvironmentWarning[];
  version: string;
}

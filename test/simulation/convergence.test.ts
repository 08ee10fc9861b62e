import { Simulation } from './simulation';
const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? 2000);
const BASE = Number(process.env['SIMULATION_SEED'] ?? process.env['BASE'] ?? 1);
it('runs', () => {
  const started = Date.now();
  const sums: Record<string, number> = {};
  const fails: Record<string, string[]> = {};
  for (let seed = BASE; seed < BASE + SEEDS; seed++) {
    try {
      const lines: string[] = [];
      if (process.env['SIMULATION_SEED']) {
        const sim = new Simulation(seed, { trace: (line) => lines.push(line) });
        try { sim.run(); } finally { require('fs').writeFileSync('/tmp/sim-trace', lines.join('\n')); }
        return;
      }
      const figures = new Simulation(seed).run();
      for (const [k, v] of Object.entries(figures)) sums[k] = (sums[k] ?? 0) + v;
    } catch (e) {
      const m = (e as Error).message;
      const kind = m.replace(/seed \d+ at [\d.]+s: /, '').replace(/[a-z]\d\.\d+/g, 'X').replace(/\d+/g, 'N').slice(0, 60);
      (fails[kind] ??= []).push(m.slice(0, 400));
    }
  }
  const summary = Object.entries(fails).map(([k, v]) => `${v.length} x ${k}\n   ${v.slice(0, 3).join('\n   ')}`);
  process.stdout.write(`${SEEDS} seeds, ${Date.now() - started} ms ${JSON.stringify(sums)}\n${summary.join('\n')}\n`);
}, 1e8);

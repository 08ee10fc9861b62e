/** The Grafana dashboard, without a Grafana: one install at a time, and a figure where there is nothing to count. */
import { readDashboards } from './project-files';
import { labelValuesReference, references } from './promql';

describe.each([...readDashboards()])('%s', (_name, { panels, templating }) => {
  const queries = panels.flatMap(({ title, type, targets = [] }) =>
    targets.map(({ expr }) => ({ title, type, expr })),
  );

  it('shows one install at a time: every query and every other variable is of the namespace and the job chosen', () => {
    for (const { expr } of queries) {
      const selectors = references(expr).length;
      expect(expr.split('{namespace="$namespace",job="$job"').length - 1).toBe(selectors);
    }
    const variables = templating.list.flatMap(({ name, definition }) =>
      definition === undefined ? [] : [[name, labelValuesReference(definition).labels]],
    );
    expect(variables).toEqual([
      ['namespace', ['namespace']],
      ['job', ['namespace', 'job']],
      ['cluster', ['namespace', 'job', 'model_name']],
      ['instance', ['namespace', 'job', 'instance']],
    ]);
  });

  it('shows 0, and not "No data", where nothing is left to count', () => {
    const counts = queries.filter(
      ({ type, expr }) => type === 'stat' && /\bcount\(|metacenter_ready/.test(expr),
    );
    const overall = counts.filter(({ expr }) => !expr.includes('by (instance'));
    expect(overall.map(({ title }) => title)).toEqual(['Clusters', 'Replicas ready']);
    for (const { expr } of overall) expect(expr).toMatch(/ or vector\(0\)$/);
  });

  it('shows how near each limit is, and what was refused for it', () => {
    const asked = queries.flatMap(({ expr }) => references(expr).map(({ metric }) => metric));
    expect(asked).toEqual(
      expect.arrayContaining(['metacenter_limit_use', 'metacenter_limit', 'metacenter_limit_refused_total']),
    );
  });
});

/** What an event costs, in counts that are exact: no clock decides whether these pass. */
import { EngineStats } from '../../src/core/engine-stats';
import type { LoadEvent } from '../../src/core/event';
import { LoadStats } from '../../src/core/load-stats';
import { ModelStats } from '../../src/core/model-stats';
import { viewOptions } from '../support/view-options';

const ENGINES = 200;
const CLUSTERS = 5;
const NOW_US = 1_700_000_000_000_000;

function addEvent(number: number): LoadEvent {
  return {
    type: 'add',
    origin: 'origin',
    seq: number,
    timeUs: NOW_US + number,
    requestId: `request-${number}`,
    cluster: `cluster-${number % CLUSTERS}`,
    ip: `10.0.0.${Math.floor(number / CLUSTERS) % (ENGINES / CLUSTERS)}`,
    promptLength: 100,
    timestampNs: undefined,
  };
}

function deletion(type: 'delete' | 'prompt-delete', number: number): LoadEvent {
  return {
    type,
    origin: 'origin',
    seq: 5_000 + number,
    timeUs: NOW_US + 5_000,
    requestId: `request-${number}`,
  };
}

/** Every row has requests in flight. */
function busyView(): LoadStats {
  const view = new LoadStats(viewOptions(10_000));
  for (let number = 1; number <= 4 * ENGINES; number++) view.apply(addEvent(number), NOW_US + 10_000);
  expect(view.engines.size).toBe(ENGINES);
  return view;
}

/** Changed since its JSON was written. */
const isStale = (row: EngineStats): boolean => row['json'] === '';

afterEach(() => jest.restoreAllMocks());

describe('Work of the core', () => {
  it.each([
    ['an add', addEvent(2_000)],
    ['a prompt-delete', deletion('prompt-delete', 7)],
    ['a delete', deletion('delete', 7)],
  ])('%s touches one row of 200', (_what, event) => {
    const view = busyView();
    for (const model of view.engines.clusters) model.toJson();
    expect(view.apply(event, NOW_US + 10_000)).toBe('applied');
    expect([...view.engines.all()].filter(isStale)).toHaveLength(1);
  });

  it('an event that was seen before touches no row', () => {
    const view = busyView();
    const changes = jest.spyOn(EngineStats.prototype, 'changed');
    expect(view.apply(addEvent(7), NOW_US + 10_000)).toBe('applied');
    expect(changes).not.toHaveBeenCalled();
  });

  it('after one change a query writes the JSON of one row, and after none it writes nothing', () => {
    const view = busyView();
    const model = view.engines.model('cluster-2')!;
    model.toJson();
    expect(model.rows.filter(isStale)).toEqual([]);
    view.apply(deletion('delete', 7), NOW_US + 10_000);
    expect(model.rows.filter(isStale)).toHaveLength(1);
    model.toJson();
    const rowsAsked = jest.spyOn(EngineStats.prototype, 'toJson');
    model.toJson();
    expect(rowsAsked).not.toHaveBeenCalled();
  });

  it('an event of one cluster leaves the JSON of the others as it is', () => {
    const view = busyView();
    for (const model of view.engines.clusters) model.toJson();
    view.apply(deletion('delete', 7), NOW_US + 10_000);
    const stale = (model: ModelStats): boolean => model['changesInJson'] !== model.changes;
    expect([...view.engines.clusters].filter(stale).map(({ cluster }) => cluster)).toEqual(['cluster-2']);
  });

  it('expiry with nothing due drops nothing and looks at no more than it is told to', () => {
    const view = busyView();
    const changes = jest.spyOn(EngineStats.prototype, 'changed');
    expect(view.expire(NOW_US + 20_000, 1)).toBe(true);
    expect(changes).not.toHaveBeenCalled();
    expect(view.inFlight.size).toBe(4 * ENGINES);
    // All of them are due: exactly as many are dropped as may be looked at.
    expect(view.expire(NOW_US + 700_000_000, 100)).toBe(false);
    expect(view.inFlight.size).toBe(4 * ENGINES - 100);
  });
});

/** Node.js has a one-shot hash since 20.12; the older way must give the same. */
const IDS = ['a', 'request-1', '日本語', '😀', 'x'.repeat(256)];

function hashes(): string[] {
  let made: string[] = [];
  jest.isolateModules(() => {
    const { newFingerprinting } = jest.requireActual<typeof import('../../src/composition/fingerprinting')>(
      '../../src/composition/fingerprinting',
    );
    const { hash } = newFingerprinting();
    made = IDS.map((id) => hash(id).slice(0, 16));
  });
  return made;
}

afterEach(() => jest.dontMock('node:crypto'));

it('I19: a replica on Node.js 20.0 knows ids by the same fingerprints', () => {
  const withOneShot = hashes();
  const actual = jest.requireActual<typeof import('node:crypto')>('node:crypto');
  jest.doMock('node:crypto', () => ({ ...actual, hash: undefined }));
  expect(hashes()).toEqual(withOneShot);
  expect(new Set(withOneShot).size).toBe(IDS.length);
});

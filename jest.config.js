/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  testMatch: ['**/*.test.ts'],
  transform: {
    '\\.ts$': ['ts-jest', { tsconfig: 'tsconfig.json', diagnostics: false, transpilation: true }],
  },
  // Looking one of these up in jest's sandbox costs more than most of what is done with it: this halves what properties take.
  sandboxInjectedGlobals: ['Array', 'Float64Array', 'Map', 'Math', 'Number', 'Object', 'Set'],
  testTimeout: 180_000,
  // More than there are cores: most files wait for processes, and for time to pass. At full size they wait less, and four
  // starve each other.
  maxWorkers: process.env.TEST_SIZE === 'full' ? 3 : 5,
  testSequencer: '<rootDir>/test/support/waiting-first.cjs',
  reporters: ['default', '<rootDir>/test/support/progress-reporter.cjs'],
};

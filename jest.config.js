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
  testTimeout: 180_000,
  // More than there are cores: most files wait for processes, and for time to pass.
  maxWorkers: 4,
  reporters: ['default', '<rootDir>/test/support/progress-reporter.cjs'],
};

/** Runs once after all tests: what a failed test has left open must not keep the run from ending. */

const ENDS_WITHIN_MS = 10_000;

export default function tearDown(): void {
  setTimeout(() => {
    process.stderr.write(`left open by the tests: ${process.getActiveResourcesInfo().join(', ')}\n`);
    // With the status that jest has in mind.
    process.exit();
  }, ENDS_WITHIN_MS).unref();
}

// The least that a table of cases needs. tests/browser/test_scripts.py opens each *.test.js here in Chromium and asks for
// what failed.
const cases = [];

export const test = (name, run) => cases.push([name, run]);

export function equal(found, wanted, about = "") {
  const [is, should] = [found, wanted].map((one) => JSON.stringify(one, (_, value) => value ?? null));
  if (is !== should) throw new Error(`${about && `${about}: `}${is} instead of ${should}`);
}

// How many cases there were, and "name: what was wrong" of each that failed.
export async function results() {
  const failed = [];
  for (const [name, run] of cases) {
    try {
      await run();
    } catch (error) {
      failed.push(`${name}: ${error.message}`);
    }
  }
  return { ran: cases.length, failed };
}

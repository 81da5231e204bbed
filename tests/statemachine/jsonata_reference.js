// Evaluates expressions with the reference implementation of JSONata, for test_reference_jsonata.py.
// Reads {"expressions": [[TEXT, [VARIABLES, …]], …]}; writes to a file, for each evaluation, [VALUE] or, where there is none, null.
const fs = require("fs");
const jsonata = require(process.argv[2]);

async function evaluate(expression, variables) {
  try {
    const parsed = jsonata(expression);
    parsed.registerFunction("parse", (text) => JSON.parse(text), "<s:x>"); // Step Functions' own
    const value = await parsed.evaluate(undefined, variables);
    return value === undefined ? null : [JSON.parse(JSON.stringify(value))];
  } catch {
    return null;
  }
}

async function main() {
  const values = [];
  for (const [expression, contexts] of JSON.parse(fs.readFileSync(0, "utf8")).expressions) {
    const row = [];
    for (const variables of contexts) row.push(await evaluate(expression, variables));
    values.push(row);
  }
  fs.writeFileSync(process.argv[3], JSON.stringify(values));
}

main();

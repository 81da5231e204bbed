// Evaluates expressions with the reference implementation of JSONata, one a line of JSON, for second_interpreter.py.
const jsonata = require(process.argv[2]);

async function answer(expression) {
  try {
    const parsed = jsonata(expression);
    parsed.registerFunction("parse", (text) => JSON.parse(text), "<s:x>"); // Step Functions' own
    return { value: await parsed.evaluate(undefined) };
  } catch (error) {
    return { error: String(error.message || error) };
  }
}

(async () => {
  for await (const line of require("readline").createInterface({ input: process.stdin }))
    process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + "\n");
})();

/** Which letter or digit a key is for, on whatever keyboard. Reviews go by this, too. */

/**
 * The letter or digit of a key; by its place where the keyboard's script has another one there, or
 * a sign on its digit. A sign that means something, as a French comma may, is what it is.
 */
export function characterOf({ key, code }, commands) {
  if (/^[a-z0-9]$/i.test(key)) return key.toLowerCase();
  const place = /^(?:Digit|Key)(.)$/.exec(code);
  return place && !commands[key] ? place[1].toLowerCase() : "";
}

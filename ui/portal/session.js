/* Who is signed in: by password, a new password, a second factor or the organization's own sign-in,
 * at Cognito itself.
 *
 * The tokens live in this module and in sessionStorage, so that a reload keeps them. Each session
 * names its worker (`sub`): what one of them has not sent is never sent under another's name. */
import { beginFederated, endFederated, finishFederated } from "./federation.js";

const one = selector => document.querySelector(selector);
const settings = document.documentElement.dataset;

// ---- What survives a reload ----
export const kept = {
  get(name, otherwise) {
    try { return JSON.parse(sessionStorage.getItem(name)) ?? otherwise; } catch { return otherwise; }
  },
  /** Keep it; false where storage is shut off or full, and a reload forgets. */
  set(name, value) {
    try { sessionStorage.setItem(name, JSON.stringify(value)); return true; } catch { return false; }
  },
};

/** What a token says; the portal's API has checked it, or will. */
function claimsOf(token) {
  const text = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, letter => letter.charCodeAt(0))));
}

let session = kept.get("session", null); // { id, access, refresh, until, name, worker, client }
if (session && !session.worker) session.worker = claimsOf(session.id).sub;

export const isSignedIn = () => Boolean(session);
export const worker = () => session?.worker;

let enter, show, isLeftOver = false;
/** Tell what shows a view, and what to do when a worker is in; the first call may sign somebody in. */
export async function begin(views) {
  ({ enter, show } = views);
  const federated = await finishFederated().catch(() => ({ failed: true }));
  if (federated?.failed) one("#sign-in .error").textContent = "The sign-in did not succeed. Please try again.";
  if (federated?.IdToken) admit(federated, claimsOf(federated.IdToken).email ?? "", settings.federatedClient);
  if (session) enter();
  else show("sign-in");
}

const BUSY = /TooManyRequests|InternalError/; // what passes by itself, in a second or two
const LAST_WAIT = 2000; // milliseconds before the last try

/** Ask Cognito, again where it has too much to do for a moment. */
export async function cognito(action, content) {
  for (let wait = 500; ; wait *= 2) {
    try {
      return await call(action, content);
    } catch (error) {
      if (!BUSY.test(error.kind) || wait > LAST_WAIT) throw error;
      await new Promise(done => setTimeout(done, wait));
    }
  }
}

async function call(action, content) {
  const response = await fetch(`${settings.cognito}/`, {
    method: "POST",
    headers: { "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": `AWSCognitoIdentityProviderService.${action}` },
    body: JSON.stringify({ ClientId: settings.client, ...content }),
  });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.message), { refused: response.status < 500, kind: answer.__type });
  return answer;
}

/** Keep the tokens of a sign-in; whether somebody else was signed in here before. */
function admit(result, name, client = settings.client) {
  const before = session?.worker;
  session = {
    id: result.IdToken, access: result.AccessToken, refresh: result.RefreshToken ?? session?.refresh,
    until: Date.now() + result.ExpiresIn * 1000, name, client, worker: claimsOf(result.IdToken).sub,
  };
  kept.set("session", session);
  return before !== undefined && before !== session.worker;
}

// ---- The steps of a sign-in ----
function sayWhy(error) {
  const kind = error.kind ?? "";
  if (BUSY.test(kind)) return "The sign-in service has too much to do. Please try again in a minute.";
  if (!error.refused) return "The sign-in service cannot be reached. Please try again.";
  if (/LimitExceeded|TooMany/.test(kind) || /attempts exceeded/i.test(error.message)) return "That was too often. Please wait a quarter of an hour, and try again.";
  if (/temporary password/i.test(error.message)) return "The password that you were given is too old. Please ask whoever gave you the account for a new one.";
  if (/is disabled/i.test(error.message)) return "This account is shut off. Please ask whoever gave you the account.";
  if (/InvalidPassword/.test(kind)) return "Please choose a longer password with small and capital letters and a digit.";
  if (/PasswordReset/.test(kind)) return "Your password was reset. Choose a new one by “Forgot your password?”, or ask whoever gave you the account.";
  if (/CodeMismatch|EnableSoftwareToken/.test(kind)) return "This code does not fit. Please enter the one that is shown now.";
  if (/ExpiredCode/.test(kind)) return "This code is too old. Please ask for a new one.";
  if (/AccessDenied/.test(kind)) return "This portal does not offer that. Please ask whoever gave you the account.";
  if (/ took too long|session/i.test(error.message)) return "That took too long. Please begin again.";
  return "This email and password do not go together.";
}

/** Run a form's work, with its button off meanwhile and what went wrong said in it. */
function onSubmit(form, work) {
  form.addEventListener("submit", async event => {
    event.preventDefault();
    const button = form.querySelector("button.main"), error = form.querySelector(".error");
    button.disabled = true;
    error.textContent = "";
    try { await work(form.elements, form); } catch (problem) { error.textContent = problem.say ?? sayWhy(problem); }
    button.disabled = false;
  });
}

let challenge = null; // Cognito's question in the sign-in under way, and who signs in
const answerChallenge = (name, responses) => cognito("RespondToAuthChallenge", {
  ChallengeName: name,
  Session: challenge.Session,
  ChallengeResponses: { USERNAME: challenge.ChallengeParameters?.USER_ID_FOR_SRP ?? challenge.user, ...responses },
});

/** Sign in with what a form holds: the password, or the code that was asked for after it. */
async function signInWith({ name, password, code }, form) {
  const asked = form.classList.contains("coded");
  let answer;
  try {
    answer = asked
      ? await answerChallenge("SOFTWARE_TOKEN_MFA", { SOFTWARE_TOKEN_MFA_CODE: code.value.replaceAll(" ", "") })
      : await cognito("InitiateAuth", { AuthFlow: "USER_PASSWORD_AUTH", AuthParameters: { USERNAME: name.value, PASSWORD: password.value } });
  } catch (error) {
    if (asked && !/CodeMismatch/.test(error.kind)) askForCode(form, false); // the password again
    throw error;
  }
  challenge = { ...answer, user: name.value };
  password.value = code.value = "";
  const isCode = answer.ChallengeName === "SOFTWARE_TOKEN_MFA";
  askForCode(form, isCode);
  if (isCode) code.focus();
  return isCode ? null : answer;
}

function askForCode(form, asked) {
  form.classList.toggle("coded", asked);
  form.elements.code.closest("label").hidden = !asked;
  form.elements.code.required = asked;
  for (const field of [form.elements.name, form.elements.password]) {
    field.closest("label").hidden = asked;
    field.required = !asked;
  }
}

/** Take the step that Cognito asks for; nothing while a form waits for a code. */
async function proceed(answer) {
  if (!answer) return;
  challenge = { ...answer, user: challenge.user };
  if (answer.AuthenticationResult) {
    admit(answer.AuthenticationResult, challenge.user);
    if (isLeftOver) return location.reload(); // what was signed out offline goes before anything
    return enter();
  }
  if (answer.ChallengeName === "NEW_PASSWORD_REQUIRED") {
    one("#new-password [name=name]").value = challenge.user;
    return show("new-password");
  }
  if (answer.ChallengeName === "MFA_SETUP") return showSecret({ Session: answer.Session });
  throw { say: `This account asks for ${answer.ChallengeName}, which the portal does not know.` };
}

onSubmit(one("#sign-in form"), async (fields, form) => proceed(await signInWith(fields, form)));
onSubmit(one("#new-password form"), async ({ password, again }) => {
  if (password.value !== again.value) throw { say: "The two are not the same." };
  const answer = await answerChallenge("NEW_PASSWORD_REQUIRED", { NEW_PASSWORD: password.value });
  password.value = again.value = "";
  await proceed(answer);
});

// ---- A forgotten password ----
one("#forgotten").addEventListener("click", () => {
  one("#forgot [name=name]").value = one("#sign-in [name=name]").value;
  show("forgot");
});
onSubmit(one("#forgot form"), async ({ name, code, password }, form) => {
  if (!form.classList.contains("coded")) {
    await cognito("ForgotPassword", { Username: name.value });
    form.classList.add("coded");
    for (const field of [code, password]) {
      field.closest("label").hidden = false;
      field.required = true;
    }
    return code.focus();
  }
  await cognito("ConfirmForgotPassword", { Username: name.value, ConfirmationCode: code.value.trim(), Password: password.value });
  const answer = await cognito("InitiateAuth", { AuthFlow: "USER_PASSWORD_AUTH", AuthParameters: { USERNAME: name.value, PASSWORD: password.value } });
  code.value = password.value = "";
  challenge = { user: name.value };
  await proceed(answer);
  // Whoever knew the old password is out, wherever they are.
  if (answer.AuthenticationResult) await tell("DELETE", "session?everywhere").catch(() => {});
});

// ---- An authenticator app as the second factor ----
let secret = null; // { SecretCode, Session, proof: what Cognito takes for the person }
async function showSecret(proof) {
  secret = { ...await cognito("AssociateSoftwareToken", proof), proof };
  const user = session?.name ?? challenge.user;
  one("#authenticator code").textContent = secret.SecretCode.replace(/(.{4})(?=.)/g, "$1 ");
  one("#authenticator a").href = `otpauth://totp/Tessera:${encodeURIComponent(user)}?secret=${secret.SecretCode}&issuer=Tessera`;
  show("authenticator");
}
onSubmit(one("#authenticator form"), async ({ code }) => {
  const proof = secret.proof.AccessToken ? secret.proof : { Session: secret.Session ?? secret.proof.Session };
  const verified = await cognito("VerifySoftwareToken", { ...proof, UserCode: code.value.replaceAll(" ", "") });
  code.value = "";
  if (secret.proof.AccessToken) {
    await cognito("SetUserMFAPreference", { ...proof, SoftwareTokenMfaSettings: { Enabled: true, PreferredMfa: true } });
    return enter();
  }
  challenge.Session = verified.Session;
  await proceed(await answerChallenge("MFA_SETUP", {}));
});
one("#add-authenticator").hidden = settings.mfa !== "OPTIONAL";
one("#add-authenticator").addEventListener("click", async () => {
  await token();
  showSecret({ AccessToken: session.access }).catch(() => {});
});

// ---- The organization's own sign-in ----
const NOTHING_KEPT = "This sign-in needs cookies, which your browser blocks for this site. Please allow them, and try again.";
for (const button of document.querySelectorAll("button.federated")) {
  button.hidden = !settings.provider;
  button.textContent = `Sign in with ${settings.provider}`;
  button.addEventListener("click", () => beginFederated().catch(() => { button.form.querySelector(".error").textContent = NOTHING_KEPT; }));
}

// ---- Tokens ----
let renewing = null;
/** A token that still holds for a while and is not `refused`: the one at hand, or a new one. */
export function token(refused) {
  if (session && session.id !== refused && Date.now() < session.until - 60_000) return session.id;
  return renewing ??= renew().finally(() => { renewing = null; });
}

async function renew() {
  const client = session?.client ?? settings.client;
  if (session?.refresh) {
    try {
      const answer = await cognito("InitiateAuth", { ClientId: client, AuthFlow: "REFRESH_TOKEN_AUTH", AuthParameters: { REFRESH_TOKEN: session.refresh } });
      admit(answer.AuthenticationResult, session.name, client);
      return session.id;
    } catch (error) {
      if (!error.refused) throw error; // offline: whoever asks tries again
    }
  }
  await signInAgain();
  return session.id;
}

/** Wait until the worker has signed in again, over the page as they left it. */
export function signInAgain() {
  const dialog = one("#again"), form = dialog.querySelector("form");
  if (dialog.open) return new Promise(done => dialog.addEventListener("close", done, { once: true }));
  form.elements.name.value = session?.name ?? "";
  dialog.showModal();
  (session?.name ? form.elements.password : form.elements.name).focus();
  return new Promise(done => dialog.addEventListener("close", done, { once: true }));
}
one("#again").addEventListener("cancel", event => event.preventDefault());
onSubmit(one("#again form"), async (fields, form) => {
  const answer = await signInWith(fields, form);
  if (!answer) return;
  if (!answer.AuthenticationResult) throw { say: "This account needs another step to sign in. Please reload the page." };
  // Another worker: nothing of the first goes on, and `ask` lets none of their requests end.
  if (admit(answer.AuthenticationResult, challenge.user)) location.reload();
  else one("#again").close();
});

// ---- Signing out ----
const PATIENCE = 4000; // milliseconds that a sign-out waits at each step, if there is a network
export const inTime = work => Promise.race([work, new Promise(done => setTimeout(done, navigator.onLine ? PATIENCE : 0))]);
const tell = (method, path) => fetch(path, { method, headers: { Authorization: `Bearer ${session.id}` }, signal: AbortSignal.timeout(PATIENCE) });

/** End the sign-in at the portal, at Cognito and here; offline it ends here alone. */
export async function signOut(farewell = "") {
  const { id, refresh, client } = session;
  await inTime(Promise.allSettled([
    id && tell("DELETE", "session"),
    refresh && cognito("RevokeToken", { ClientId: client, Token: refresh }),
  ]));
  forget(farewell);
  if (client !== settings.client && navigator.onLine) endFederated();
  else if (navigator.onLine && !farewell) location.reload();
}

/** Forget who is signed in, and say why; what they have not sent stays, under their name. */
export function forget(reason) {
  session = null;
  isLeftOver = true;
  const unsent = kept.get("outbox", []);
  try { sessionStorage.clear(); } catch { /* storage is shut off: nothing was kept */ }
  if (unsent.length) kept.set("outbox", unsent);
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  location.hash = "";
  show("sign-in");
  one("#sign-in .error").textContent = reason;
}

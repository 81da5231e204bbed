/* The organization's own sign-in (OIDC or SAML), through the pool's domain: authorization code with
 * PKCE, so that a code that is intercepted buys nothing. */
const settings = document.documentElement.dataset;
const home = () => location.origin + location.pathname;
const base64url = bytes => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** Leave for the organization's sign-in; it comes back to this page with a code. */
export async function beginFederated() {
  const [state, verifier] = [random(), random()];
  sessionStorage.setItem("federation", JSON.stringify({ state, verifier, hash: location.hash }));
  const challenge = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
  location.assign(`${settings.domain}/oauth2/authorize?${new URLSearchParams({
    response_type: "code", client_id: settings.federatedClient, redirect_uri: home(), scope: "openid email", state,
    code_challenge: challenge, code_challenge_method: "S256", identity_provider: settings.provider,
  })}`);
}

/** The tokens for the code in this page's address; nothing if there is none, or it is not ours. */
export async function finishFederated() {
  const query = new URLSearchParams(location.search);
  if (!settings.provider || !(query.has("code") || query.has("error"))) return null;
  const begun = JSON.parse(sessionStorage.getItem("federation") ?? "{}");
  sessionStorage.removeItem("federation");
  history.replaceState(null, "", home() + (begun.hash ?? "")); // no code in the history
  // A code that this tab did not ask for would sign its worker in as somebody else.
  if (!begun.state || begun.state !== query.get("state") || !query.has("code")) return { failed: true };
  const response = await fetch(`${settings.domain}/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code", client_id: settings.federatedClient, redirect_uri: home(),
      code: query.get("code"), code_verifier: begun.verifier,
    }),
  });
  if (!response.ok) return { failed: true };
  const result = await response.json();
  return { IdToken: result.id_token, AccessToken: result.access_token, RefreshToken: result.refresh_token, ExpiresIn: result.expires_in };
}

/** End the pool's own session, or the next click would let anybody in again at this computer. */
export function endFederated() {
  location.assign(`${settings.domain}/logout?${new URLSearchParams({ client_id: settings.federatedClient, logout_uri: home() })}`);
}

// An OpenID provider on the port that is its argument: a real one, whose every person says yes.
// Everything that it checks of a request and of a code is its own.
import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'sx-test',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    // RFC 8252, section 7.3: a native client may come back to any port.
    redirect_uris: ['http://127.0.0.1/auth/callback'],
  }],
  routes: { authorization: '/oauth/authorize', token: '/oauth/token' },
  pkce: { methods: ['S256'], required: () => true },
  cookies: { keys: ['a key of the tests'] },
  claims: { email: ['email'], profile: ['name'] },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false } },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  findAccount: async (ctx, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, email: `${id}@example.org` }),
  }),
});

// The person: logs in and agrees, without a page between.
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const { prompt, params, session } = await provider.interactionDetails(ctx.req, ctx.res);
  if (prompt.name === 'login') {
    const login = { accountId: 'person' };
    return provider.interactionFinished(ctx.req, ctx.res, { login });
  }
  const grant = new provider.Grant({
    accountId: session.accountId,
    clientId: params.client_id,
  });
  grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  const merged = { mergeWithLastSubmission: true };
  return provider.interactionFinished(ctx.req, ctx.res, { consent }, merged);
});

const tell = (what) => (ctx, error) => console.log(what, error?.error_detail ?? error ?? '');
provider.on('grant.success', tell('granted'));
provider.on('grant.error', tell('refused:'));
provider.on('authorization.error', tell('refused:'));
provider.on('server_error', tell('broken:'));
provider.listen(port, '127.0.0.1', () => console.log('listening'));

/** Addresses that the page loads, as the webview sees them. */
export interface ChatPageAddresses {
  /** `webview.cspSource`. */
  cspSource: string;
  script: string;
  styles: string;
  icons: string;
}

/**
 * The page of the chat view. Nothing may be loaded but its own script, styles and icon font; `nonce` is fresh
 * for every page.
 */
export function chatHtml({ cspSource, script, styles, icons }: ChatPageAddresses, nonce: string): string {
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${cspSource}`,
    `font-src ${cspSource}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="UTF-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <meta name="viewport" content="width=device-width, initial-scale=1.0">
  <link rel="stylesheet" href="${icons}" id="vscode-codicon-stylesheet">
  <link rel="stylesheet" href="${styles}">
  <title>Longview</title>
</head>
<body>
  <script nonce="${nonce}" src="${script}"></script>
</body>
</html>`;
}

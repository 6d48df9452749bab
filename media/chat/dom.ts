import '@vscode-elements/elements/dist/vscode-toolbar-button';

type Child = Node | string | undefined | false;

interface Attributes {
  [name: string]: string | boolean | undefined;
}

/** Makes an element. `true` sets an attribute without value; `undefined` and `false` leave it out. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== false));
  return made;
}

/** A codicon that says nothing to screen readers. */
export function icon(name: string): HTMLElement {
  return element('span', { class: `codicon codicon-${name}`, 'aria-hidden': 'true' });
}

/** A button that reads as a link in the text. */
export function linkButton(text: string, title: string, onClick: () => void): HTMLButtonElement {
  const button = element('button', { type: 'button', class: 'link', title }, text);
  button.addEventListener('click', onClick);
  return button;
}

/** A small button with an icon; `label` is its name and its tooltip. */
export function iconButton(name: string, label: string, onClick: () => void): HTMLElement {
  const button = element('vscode-toolbar-button', { icon: name, label, title: label });
  button.addEventListener('click', onClick);
  return button;
}

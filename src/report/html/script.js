// Sorting, filtering and keys of the HTML report. Without it, the pages can be read all the same.
"use strict";

const SLICE = 300; // rows of a table that are laid out at a time

function load(name, otherwise) {
	try {
		return JSON.parse(localStorage.getItem("pycov-trace." + name)) ?? otherwise;
	} catch {
		return otherwise;
	}
}

function save(name, value) {
	try {
		localStorage.setItem("pycov-trace." + name, JSON.stringify(value));
	} catch {
		// not from a disk, in some browsers
	}
}

function follow(id) {
	const link = document.getElementById(id);
	if (link)
		location.href = link.href;
}

function toggleHelp() {
	const help = document.getElementById("help");
	help.hidden = !help.hidden;
}

function listenToKeys(keys) {
	document.addEventListener("keydown", event => {
		if (event.ctrlKey || event.altKey || event.metaKey)
			return;
		if (event.key === "Escape") {
			document.getElementById("help").hidden = true;
			document.activeElement.blur();
		} else if (!event.target.matches("input[type=search]") && Object.hasOwn(keys, event.key)) {
			event.preventDefault();
			keys[event.key]();
		}
	});
	document.getElementById("help-button").addEventListener("click", toggleHelp);
}

// ------------------------------------------------------------------------------------------------------ the tables

class Table {
	constructor(element) {
		this.body = element.tBodies[0];
		this.heads = [...element.tHead.rows[0].cells];
		this.foot = element.tFoot.rows[0].cells;
		this.last = this.heads.length - 1;
		this.names = this.heads.filter(head => head.classList.contains("name")).length;
		this.rows = [...element.tBodies].flatMap(body => [...body.rows]).map(row => this.read(row));
		[...element.tBodies].slice(1).forEach(body => body.remove());
		this.all = [...this.foot].map(cell => [cell.textContent, cell.className]);
		this.places = Number(element.dataset.precision);
		this.filter = document.getElementById("filter");
		this.hide = document.getElementById("hide-covered");
		this.end = document.getElementById("table-end");
		this.listen();
	}

	// A row's texts and numbers, so that neither sorting nor filtering has to ask the document.
	read(row) {
		const cells = row.cells, values = [];
		for (let i = 0; i < this.last; i++) {
			const text = cells[i].textContent;
			values.push(i < this.names ? text.toLowerCase() : Number(text));
		}
		const [covered, of] = cells[this.last].dataset.of.split(" ").map(Number);
		values.push(of ? covered / of : 1);
		return {row, values, covered, of, text: [...cells].slice(0, this.names).map(c => c.textContent).join("\n")};
	}

	listen() {
		this.heads.forEach((head, i) => head.firstElementChild.addEventListener("click", () => this.turn(i)));
		this.filter.addEventListener("input", () => this.show());
		this.hide.addEventListener("change", () => this.show());
		document.getElementById("tools").hidden = false;
		this.filter.value = load("filter", "");
		this.hide.checked = load("hide", false);
		new IntersectionObserver(seen => seen[0].isIntersecting && this.more(), {rootMargin: "1000px"}).observe(this.end);
		addEventListener("beforeprint", () => this.more(Infinity));
		const [id, direction] = load("sort", ["file", "ascending"]);
		const head = this.heads.findIndex(h => h.id === id);
		this.sort(Math.max(head, 0), head < 0 ? "ascending" : direction);
	}

	turn(column) {
		const head = this.heads[column], before = head.ariaSort;
		const first = column < this.names || column === this.last ? "ascending" : "descending";
		const other = before === "ascending" ? "descending" : "ascending";
		this.sort(column, before === "none" ? first : other);
		save("sort", [head.id, head.ariaSort]);
	}

	sort(column, direction) {
		const sign = direction === "ascending" ? 1 : -1;
		const compare = (a, b) => a < b ? -sign : a > b ? sign : 0;
		this.heads.forEach((head, i) => head.ariaSort = i === column ? direction : "none");
		// the sort is stable: equal ones stay in the order of their names
		this.rows.sort((a, b) => {
			const c = compare(a.values[column], b.values[column]);
			return c || (a.values[0] < b.values[0] ? -1 : a.values[0] > b.values[0] ? 1 : 0);
		});
		this.show();
	}

	// Every word must be in a name; in lower case it matches any case.
	matcher() {
		const words = this.filter.value.split(/\s+/).filter(Boolean).map(word => [word, word === word.toLowerCase()]);
		return item => words.every(([word, fold]) =>
			fold ? item.values.slice(0, this.names).some(v => v.includes(word)) : item.text.includes(word));
	}

	show() {
		const matches = this.matcher(), hide = this.hide.checked;
		this.shown = this.rows.filter(item => !(hide && item.covered === item.of) && matches(item));
		this.body.replaceChildren();
		this.drawn = 0;
		this.more();
		this.total();
		save("filter", this.filter.value);
		save("hide", hide);
	}

	more(n = SLICE) {
		if (this.drawn >= this.shown.length)
			return;
		this.body.append(...this.shown.slice(this.drawn, this.drawn + n).map(item => item.row));
		this.drawn = Math.min(this.drawn + n, this.shown.length);
		// still in view? the observer tells of changes alone
		if (this.drawn < this.shown.length && this.end.getBoundingClientRect().top < innerHeight + 1000)
			requestAnimationFrame(() => this.more());
	}

	total() {
		const whole = this.shown.length === this.rows.length, sums = new Array(this.last).fill(0);
		let covered = 0, of = 0;
		for (const item of this.shown) {
			for (let i = this.names; i < this.last; i++)
				sums[i] += item.values[i];
			covered += item.covered;
			of += item.of;
		}
		for (let i = this.names; i <= this.last; i++) {
			const cell = this.foot[i];
			[cell.textContent, cell.className] = whole ? this.all[i]
				: i < this.last ? [sums[i], this.all[i][1]] : [this.percent(covered, of), bar(covered, of)];
		}
		document.getElementById("shown").textContent = whole ? `${this.rows.length} shown`
			: `${this.shown.length} of ${this.rows.length} shown`;
	}

	// 0 and 100 only where it is exactly that.
	percent(covered, of) {
		const least = 10 ** -this.places, exact = of ? 100 * covered / of : 100;
		const shown = exact > 0 && exact < least ? least : exact < 100 && exact > 100 - least ? 100 - least : exact;
		return shown.toFixed(this.places) + "%";
	}
}

function bar(covered, of) {
	return of ? "p" + Math.floor(100 * covered / of) : "empty";
}

function startIndex(element) {
	const table = new Table(element), keys = {
		"[": () => follow("last"),
		"]": () => follow("first"),
		"/": () => table.filter.focus(),
		"?": toggleHelp,
	};
	table.heads.forEach((head, i) => keys[head.dataset.key] = () => table.turn(i));
	listenToKeys(keys);
	window.pycovTable = table;
}

// ------------------------------------------------------------------------------------------------------ the sources

class Source {
	constructor(element) {
		this.element = element;
		this.lines = element.getElementsByTagName("p");
		this.kinds = Array.from(this.lines, line => /^[rmxp]/.test(line.className) ? line.className[0] : "");
		this.show = {r: false, m: true, x: true, p: true, ...load("show", {})};
		this.from = this.to = 0; // what is chosen: line numbers, the second behind the last
		this.buttons = [...document.querySelectorAll("header button[value]")];
		this.buttons.forEach(button => button.addEventListener("click", () => this.toggle(button.value)));
		element.addEventListener("click", event => this.click(event));
		this.map = document.getElementById("map");
		this.map.hidden = false;
		this.map.addEventListener("click", event => this.jump(event));
		addEventListener("resize", () => this.draw());
		matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
		const aim = /^#t(\d+)$/.exec(location.hash);
		if (aim)
			this.from = Number(aim[1]), this.to = this.from + 1;
		this.update();
	}

	update() {
		for (const kind of "rmxp")
			this.element.classList.toggle("show-" + kind, this.show[kind]);
		for (const button of this.buttons)
			button.ariaPressed = String(this.show[button.value]);
		this.draw();
	}

	toggle(kind) {
		this.show[kind] = !this.show[kind];
		save("show", this.show);
		this.update();
	}

	// The kind of a line if it is shown; "" if it is not, null if there is no such line.
	kind(n) {
		const kind = this.kinds[n - 1];
		return kind === undefined ? null : kind && this.show[kind] ? kind : "";
	}

	choose(from, to) {
		for (const line of this.element.querySelectorAll(".chosen"))
			line.classList.remove("chosen");
		this.from = from;
		this.to = to;
		for (let n = from; n < to; n++)
			this.lines[n - 1].classList.add("chosen");
		this.lines[from - 1].scrollIntoView({block: "nearest"});
	}

	// A chosen place that is off the screen counts no more: go on from what is seen.
	seen() {
		if (this.from && this.lines[this.from - 1]) {
			const {top, bottom} = this.lines[this.from - 1].getBoundingClientRect();
			if (bottom > 0 && top < innerHeight)
				return true;
		}
		return false;
	}

	lineAt(y) {
		const line = document.elementFromPoint(this.element.clientWidth / 2, y)?.closest("#source p");
		return line ? Number(line.id.slice(1)) : 0;
	}

	next() {
		let n = this.seen() ? this.to : 0;
		if (!n)
			n = this.lineAt(document.querySelector("header").offsetHeight + 2) || 1;
		while (this.kind(n) === "")
			n++;
		this.chunk(n);
	}

	previous() {
		let n = this.seen() ? this.from - 1 : 0;
		if (!n && this.from !== 1)
			n = this.lineAt(innerHeight - 2) || this.kinds.length;
		while (n > 0 && this.kind(n) === "")
			n--;
		this.chunk(n);
	}

	// Choose all lines of one kind around line n.
	chunk(n) {
		const kind = this.kind(n);
		let from = n, to = n;
		if (!kind)
			return;
		while (this.kind(from - 1) === kind)
			from--;
		while (this.kind(to) === kind)
			to++;
		this.choose(from, to);
	}

	first() {
		let n = 1;
		while (this.kind(n) === "")
			n++;
		this.chunk(n);
	}

	top() {
		this.from = this.to = 0;
		scrollTo(0, 0);
	}

	click(event) {
		const button = event.target.closest("button.who");
		if (button)
			this.who(button);
	}

	// The contexts of a line, below it.
	who(button) {
		const line = button.closest("p"), open = line.querySelector("ul");
		if (open)
			open.remove();
		else
			line.append(this.list(button.value));
		button.ariaExpanded = String(!open);
	}

	list(set) {
		this.contexts ??= JSON.parse(document.getElementById("contexts").textContent);
		const list = document.createElement("ul");
		for (const i of this.contexts.sets[set]) {
			const item = document.createElement("li");
			item.textContent = this.contexts.names[i] || "(empty)";
			list.append(item);
		}
		return list;
	}

	draw() {
		const map = this.map, top = document.querySelector("header").offsetHeight, ratio = devicePixelRatio;
		map.width = map.clientWidth * ratio;
		map.height = (innerHeight - top) * ratio;
		map.style.height = innerHeight - top + "px";
		const pen = map.getContext("2d"), each = Math.min(map.height / this.kinds.length, 4 * ratio);
		const high = Math.max(each, 2 * ratio);
		this.lineHeight = each / ratio;
		const colours = {};
		for (const [kind, name] of [["r", "ran"], ["m", "missed"], ["x", "excluded"], ["p", "partial"]])
			colours[kind] = getComputedStyle(document.documentElement).getPropertyValue("--" + name);
		for (let n = 1; n <= this.kinds.length; n++) {
			const kind = this.kind(n);
			if (kind) {
				pen.fillStyle = colours[kind];
				pen.fillRect(0, (n - 1) * each, map.width, high);
			}
		}
	}

	jump(event) {
		const n = Math.ceil(event.offsetY / this.lineHeight);
		this.lines[Math.min(Math.max(n, 1), this.lines.length) - 1]?.scrollIntoView({block: "center"});
	}
}

function startSource(element) {
	const source = new Source(element), keys = {
		j: () => source.next(),
		k: () => source.previous(),
		1: () => source.first(),
		0: () => source.top(),
		u: () => follow("up"),
		"[": () => follow("previous"),
		"]": () => follow("next"),
		"?": toggleHelp,
	};
	for (const button of source.buttons)
		keys[button.value] = () => source.toggle(button.value);
	listenToKeys(keys);
	window.pycovSource = source;
}

const table = document.querySelector("table.index"), source = document.getElementById("source");
if (table)
	startIndex(table);
if (source)
	startSource(source);

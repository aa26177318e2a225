"use strict";
(function () {
	const svg = document.documentElement;
	const all = Array.from(document.querySelectorAll("#frames > svg"), function (element) {
		return {
			element: element,
			x: Number(element.dataset.x),
			width: Number(element.dataset.w),
			y: Number(element.getAttribute("y")),
			title: element.querySelector("title").textContent,
			text: element.querySelector("text"),
			hit: false,
		};
	});
	const root = all[0];
	const frames = document.getElementById("frames");
	const input = document.getElementById("search");
	const matched = document.getElementById("matched");
	const details = document.getElementById("details");
	const reset = document.getElementById("reset");
	const character = measure();
	let zoomed = root;

	function label(frame) {
		return frame.title.split("\n", 1)[0];
	}

	/* All characters of a font with one width; of another one the frame cuts what is too much. */
	function measure() {
		const text = document.createElementNS("http://www.w3.org/2000/svg", "text");

		text.textContent = "0".repeat(100);
		svg.appendChild(text);
		const width = text.getComputedTextLength() / 100;
		text.remove();
		return width || 7;
	}

	function shortened(name, pixels) {
		const room = Math.floor((pixels - 6) / character);

		return name.length > room ? Array.from(name).slice(0, room - 1).join("") + "\u2026" : name;
	}

	/* A name is made when there is room for it: most frames of a large graph are never wide enough. */
	function setText(frame, pixels) {
		if (pixels < 26) {
			if (frame.text)
				frame.text.style.display = "none";
			return;
		}
		if (!frame.text) {
			frame.text = document.createElementNS("http://www.w3.org/2000/svg", "text");
			frame.text.setAttribute("x", "3");
			frame.text.setAttribute("y", "13");
			frame.element.appendChild(frame.text);
		}
		frame.text.textContent = shortened(label(frame), pixels);
		frame.text.style.display = "";
	}

	function place(frame, left, width, pixels) {
		frame.element.style.display = "";
		frame.element.setAttribute("x", left + "%");
		frame.element.setAttribute("width", width + "%");
		setText(frame, pixels);
	}

	/* What the zoomed frame is called from fills the width; what is beside it goes. */
	function layout() {
		const from = zoomed.x, to = zoomed.x + zoomed.width, scale = 100 / zoomed.width;
		const pixels = (svg.clientWidth || window.innerWidth) / zoomed.width;

		for (const frame of all) {
			const above = frame.y < zoomed.y && frame.x <= from && frame.x + frame.width >= to;
			const inside = frame.y >= zoomed.y && frame.x >= from && frame.x + frame.width <= to;

			frame.element.classList.toggle("above", above);
			if (above)
				place(frame, 0, 100, pixels * zoomed.width);
			else if (inside && frame.width * pixels >= 0.1)
				place(frame, (frame.x - from) * scale, frame.width * scale, frame.width * pixels);
			else
				frame.element.style.display = "none";
		}
		reset.disabled = zoomed === root;
	}

	function pattern(text) {
		try {
			return new RegExp(text, "i");
		} catch (error) {
			return new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
		}
	}

	/* The frames come in the order of a walk in depth: what lies within a match that was counted is not counted again. */
	function search() {
		const wanted = input.value ? pattern(input.value) : null;
		let sum = 0, end = -1, count = 0;

		for (const frame of all) {
			frame.hit = wanted !== null && frame !== root && wanted.test(label(frame));
			frame.element.classList.toggle("hit", frame.hit);
			if (!frame.hit)
				continue;
			count++;
			if (frame.x >= end) {
				sum += frame.width;
				end = frame.x + frame.width;
			}
		}
		frames.classList.toggle("searched", wanted !== null);
		matched.textContent = wanted ? count + " matched, " + (100 * sum / root.width).toFixed(2) + " %" : "";
	}

	function remember() {
		const state = new URLSearchParams();

		if (zoomed !== root)
			state.set("zoom", all.indexOf(zoomed));
		if (input.value)
			state.set("search", input.value);
		history.replaceState(null, "", "#" + state.toString());
	}

	function zoom(frame) {
		zoomed = frame;
		layout();
		remember();
	}

	function frameOf(event) {
		const element = event.target.closest("#frames > svg");

		return element ? all.find(function (frame) { return frame.element === element; }) : null;
	}

	function restore() {
		const state = new URLSearchParams(location.hash.slice(1));

		zoomed = all[Number(state.get("zoom") || 0)] || root;
		input.value = state.get("search") || "";
		layout();
		search();
	}

	frames.addEventListener("click", function (event) {
		const frame = frameOf(event);

		if (frame)
			zoom(frame);
	});
	frames.addEventListener("mouseover", function (event) {
		const frame = frameOf(event);

		details.textContent = frame ? frame.title.replace(/\n/g, "  ") : "";
	});
	frames.addEventListener("mouseout", function () { details.textContent = ""; });
	reset.addEventListener("click", function () { zoom(root); });
	input.addEventListener("input", function () {
		search();
		remember();
	});
	window.addEventListener("keydown", function (event) {
		if (event.key === "Escape") {
			if (input.value) {
				input.value = "";
				search();
			} else {
				zoomed = root;
				layout();
			}
			remember();
		} else if (event.target !== input && (event.key === "/" || (event.key === "f" && (event.ctrlKey || event.metaKey)))) {
			event.preventDefault();
			input.focus();
		}
	});
	window.addEventListener("resize", layout);
	window.addEventListener("hashchange", restore);
	svg.setAttribute("width", "100%");
	document.getElementById("controls").style.display = "block";
	restore();
})();

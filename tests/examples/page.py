"""The pictures of the visual introduction and its page: whole, self-contained, and alive."""

import json
import math
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib
from html.parser import HTMLParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import interface
import tap

headers, programs = (Path(argument).resolve() for argument in sys.argv[1:])

LARGEST_PAGE = 6 << 20
PICTURES = ['01_densities', '02_reference_paths', '03_reference_velocity', '04_averaged_field',
            '05_loss', '06_learned_field', '07_sampled_path', '07_sampled_path_ground',
            '08_reconstruction', '09_sampled_density', '10_field_error', '11_solvers', '12_settings']
VOID = {'br', 'img', 'input', 'link', 'meta'}


def png_chunks(data):
    if data[:8] != b'\x89PNG\r\n\x1a\n':
        raise ValueError('no PNG signature')
    place = 8
    while place < len(data):
        length, kind = struct.unpack_from('>I4s', data, place)
        body = data[place + 8:place + 8 + length]
        crc, = struct.unpack_from('>I', data, place + 8 + length)
        if zlib.crc32(kind + body) != crc:
            raise ValueError(f'chunk {kind}: checksum')
        yield kind, body
        place += 12 + length


def png_problems(path):
    try:
        chunks = list(png_chunks(path.read_bytes()))
        width, height, depth, colour = struct.unpack_from('>IIBB', chunks[0][1])
        pixels = zlib.decompress(b''.join(body for kind, body in chunks if kind == b'IDAT'))
    except (OSError, ValueError, struct.error, zlib.error, IndexError) as error:
        return [f'{path.name}: {error}']
    problems = []
    if (chunks[0][0], chunks[-1][0], depth, colour) != (b'IHDR', b'IEND', 8, 2):
        problems.append(f'{path.name}: not a whole 8-bit RGB picture')
    if len(pixels) != height * (1 + 3 * width):
        problems.append(f'{path.name}: {len(pixels)} bytes for {width} x {height}')
    if not (width == 1600 and 500 < height < 1400):
        problems.append(f'{path.name}: {width} x {height}; 1600 wide and 500 to 1400 high wanted')
    if len(set(pixels)) < 64:
        problems.append(f'{path.name}: hardly any colours')
    return problems


class Page(HTMLParser):
    """What a page refers to, and whether its elements are closed."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.problems, self.images = [], set(), [], 0

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        for name in ('src', 'href', 'srcset', 'poster', 'data', 'action'):
            value = attributes.get(name, 'data:')
            if not value.startswith(('data:', '#')):
                self.problems.append(f'<{tag} {name}="{value[:60]}"> needs something else')
        if 'id' in attributes:
            if attributes['id'] in self.ids:
                self.problems.append(f'id {attributes["id"]} twice')
            self.ids.add(attributes['id'])
        if tag == 'img':
            self.images += 1
            if len(attributes.get('alt', '')) < 30:
                self.problems.append(f'picture {self.images} is not described')

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.problems.append(f'</{tag}> closes {self.open[-1:]} at {self.getpos()}')
        else:
            self.open.pop()


def page_problems(path):
    size = path.stat().st_size
    text = path.read_text(encoding='utf-8')
    page = Page()
    page.feed(text)
    page.close()
    problems = page.problems + [f'<{tag}> is not closed' for tag in page.open]
    if size >= LARGEST_PAGE:
        problems.append(f'{size} bytes; fewer than {LARGEST_PAGE} wanted')
    if page.images != 12:
        problems.append(f'{page.images} pictures; 12 wanted')
    without_pictures = re.sub(r'data:image/png;base64,[A-Za-z0-9+/=]*', '', text)
    problems += [f'"{word}" in the page' for word in ('@import', 'url(http', 'fetch(', 'import(',
                                                      'XMLHttpRequest', '//cdn', 'nan', 'inf<')
                 if word in without_pictures]
    path_json = re.search(r'<script type="application/json" id="path">(.*?)</script>', text, re.S)
    if not path_json or len(json.loads(path_json.group(1))['x']) != 16:
        problems.append('no JSON with the 16 places of the path')
    return problems


def unknown_names(path):
    """Functions and constants that the page tells the reader to use."""
    text = path.read_text(encoding='utf-8')
    api = interface.read(headers / 'flowmatch')
    known = ({f.name for f in api.functions} | {s.name for s in api.structs} | set(api.handles)
             | {name for e in api.enums for name, _ in e.enumerators})
    # fmatch_x_config_init is a macro over the function that ends in _sized.
    known |= {name.removesuffix('_sized') for name in known}
    return [f'{name} is not in the headers'
            for name in sorted(set(re.findall(r'\b(?:fmatch_|FMATCH_)\w+', text)) - known)]


class Browser:
    """Chromium without a window and without a network, through chromedriver."""

    def __init__(self, chromium, chromedriver, profile):
        self.driver = subprocess.Popen([chromedriver, '--port=0'], text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        port = None
        for line in self.driver.stdout:
            port = re.search(r'started successfully on port (\d+)', line)
            if port:
                break
        if not port:
            raise OSError('chromedriver does not start')
        self.base = f'http://127.0.0.1:{port.group(1)}/session'
        options = {'binary': chromium, 'args': [
            '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
            '--disable-dev-shm-usage', '--disable-background-networking',
            '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP * ~NOTFOUND',
            f'--user-data-dir={profile}']}
        session = self.call('POST', '', {'capabilities': {'alwaysMatch': {
            'browserName': 'chrome', 'goog:loggingPrefs': {'browser': 'ALL'},
            'goog:chromeOptions': options}}})
        self.base += '/' + session['sessionId']

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.base + path, method=method, headers={'Content-Type': 'application/json'},
            data=None if body is None else json.dumps(body).encode())
        # A proxy of the machine is none of a local driver's business.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)['value']

    def run(self, script):
        return self.call('POST', '/execute/sync', {'script': script, 'args': []})

    def devtools(self, command, **parameters):
        self.call('POST', '/goog/cdp/execute', {'cmd': command, 'params': parameters})

    def element(self, selector):
        found = self.call('POST', '/element', {'using': 'css selector', 'value': selector})
        return '/element/' + next(iter(found.values()))

    def press(self, selector, keys):
        self.call('POST', self.element(selector) + '/value', {'text': keys})

    def click(self, selector):
        self.call('POST', self.element(selector) + '/click', {})

    def close(self):
        try:
            self.call('DELETE', '')
        finally:
            self.driver.terminate()
            self.driver.wait(timeout=20)
            self.driver.stdout.close()


ANIMATION = '''return {x: Number(document.getElementById('point').getAttribute('cx')),
    step: Number(document.getElementById('time').value),
    said: document.getElementById('readout').textContent,
    gone: document.getElementById('gone').getAttribute('points').split(' ').length,
    label: document.getElementById('play').textContent}'''


def slider_problems(browser):
    right, end, home = '\ue014', '\ue010', '\ue011'
    start = browser.run(ANIMATION)
    browser.press('#time', right * 4)
    fourth = browser.run(ANIMATION)
    browser.press('#time', end)
    last = browser.run(ANIMATION)
    browser.press('#time', home)
    again = browser.run(ANIMATION)
    problems = []
    if not start['x'] < fourth['x'] < last['x']:
        problems.append(f'the point does not move: {start["x"]}, {fourth["x"]}, {last["x"]}')
    if (start['step'], fourth['step'], last['step']) != (0, 4, 15) or not (
            start['gone'] < fourth['gone'] < last['gone']):
        problems.append(f'the path does not grow: {start}, {fourth}, {last}')
    if 't = 0.267' not in fourth['said'] or 't = 1.000' not in last['said']:
        problems.append(f'the numbers do not follow: {fourth["said"]}, {last["said"]}')
    if again != start:
        problems.append(f'the way back differs: {again}, not {start}')
    return problems


def play_problems(browser):
    before = browser.run(ANIMATION)
    browser.press('#play', ' ')
    deadline = time.monotonic() + 20
    playing = browser.run(ANIMATION)
    while playing['step'] < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
        playing = browser.run(ANIMATION)
    browser.press('#play', ' ')
    paused = browser.run(ANIMATION)
    time.sleep(0.7)
    later = browser.run(ANIMATION)
    problems = []
    if not (playing['x'] > before['x'] and playing['step'] >= 2 and playing['label'] == 'Pause'):
        problems.append(f'it does not play: {before}, then {playing}')
    if later['x'] != paused['x'] or later['label'] != 'Play':
        problems.append(f'it does not pause: {paused}, then {later}')
    return problems


def picture_problems(browser):
    pictures = browser.run('''return [...document.images].map(
        image => [image.alt, image.complete, image.naturalWidth, image.clientWidth])''')
    return [f'not shown: {picture}' for picture in pictures
            if not (picture[1] and picture[2] == 1600 and picture[3] > 100)] + (
                [] if len(pictures) == 12 else [f'{len(pictures)} pictures; 12 wanted'])


def phone_problems(browser):
    browser.devtools('Emulation.setDeviceMetricsOverride', width=390, height=844,
                     deviceScaleFactor=2, mobile=True)
    width = browser.run('return document.documentElement.scrollWidth')
    browser.devtools('Emulation.clearDeviceMetricsOverride')
    return [] if width <= 390 else [f'the page is {width} wide on a screen of 390']


def dark_problems(browser):
    colours = []
    for scheme in ('light', 'dark'):
        browser.devtools('Emulation.setEmulatedMedia',
                         features=[{'name': 'prefers-color-scheme', 'value': scheme}])
        colours.append(browser.run('''const style = getComputedStyle(document.body);
            return [style.backgroundColor, style.color].map(
                colour => colour.match(/[0-9]+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0))'''))
    (light_ground, light_text), (dark_ground, dark_text) = colours
    return [] if light_ground > light_text + 300 and dark_text > dark_ground + 300 else [
        f'ground and text, light and dark, sums of red, green and blue: {colours}']


def log_problems(browser):
    log = browser.call('POST', '/se/log', {'type': 'browser'})
    loaded = browser.run('''return performance.getEntriesByType('resource').map(e => e.name)''')
    return [f'{entry["level"]}: {entry["message"]}' for entry in log] + [
        f'loaded: {name[:80]}' for name in loaded if not name.startswith('data:')]


IN_BROWSER = {
    'every picture is shown': picture_problems,
    'the slider moves the animation': slider_problems,
    'it plays and pauses': play_problems,
    'it fits a phone': phone_problems,
    'it has a dark mode': dark_problems,
    'no console message, nothing loaded': log_problems,
}


def check_in_browser(page, profile):
    chromium = shutil.which('chromium') or shutil.which('google-chrome')
    chromedriver = shutil.which('chromedriver')
    if not chromium or not chromedriver:
        for name in IN_BROWSER:
            tap.skip(f'browser: {name}', 'chromium and chromedriver are not installed')
        return
    browser = Browser(chromium, chromedriver, profile)
    try:
        browser.call('POST', '/url', {'url': page.as_uri()})
        for name, problems in IN_BROWSER.items():
            tap.check(f'browser: {name}', problems(browser))
    finally:
        browser.close()


IRREDUCIBLE_LOSS = 1.8367658345


def summary_problems(path):
    """What is wrong with summary.json."""
    if not path.is_file():
        return [f'there is no {path.name}']
    summary = json.loads(path.read_text(encoding='utf-8'))
    numbers = ['train_seconds', 'loss_last_1000', 'field_rmse', 'w1', 'w2', 'w1_midpoint']
    checks = {
        f'numbers for {", ".join(numbers)}': all(
            isinstance(part.get(name), float) for name in numbers
            for part in (summary, summary.get('recommended', {}))),
        f'irreducible_loss {IRREDUCIBLE_LOSS}': math.isclose(
            summary.get('irreducible_loss', 0), IRREDUCIBLE_LOSS, rel_tol=1e-8),
        'a loss between 1.5 and 3': 1.5 < (summary.get('loss_last_1000') or 0) < 3,
        '16 numbers in each path': all(len(summary.get(name, [])) == 16 for name in
                                       ('path', 'path_published', 'path_exact')),
        'the exact path to end at 1.50085': abs(
            (summary.get('path_exact') or [0])[-1] - 1.500850) < 1e-4,
    }
    return [f'{wanted} expected in {summary}' for wanted, holds in checks.items() if not holds]


def main():
    # A browser that is closing may still write into its profile.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        out = Path(name) / 'a' / 'out'
        result = subprocess.run([str(programs / 'visual_introduction'), '--steps', '300', '--out',
                                 str(out)], text=True, capture_output=True, check=False)
        tap.check('the summary holds what is known', summary_problems(out / 'summary.json'))
        if 'built without cairo' in result.stdout:
            tap.skip('pictures and page', 'the examples were built without cairo')
            tap.done()
        if result.returncode != 0 or not (out / 'index.html').is_file():
            tap.bail_out(f'no page, status {result.returncode}:\n{result.stdout}{result.stderr}')

        tap.check('every picture decodes', [p for picture in PICTURES
                                            for p in png_problems(out / f'{picture}.png')])
        tap.check('nothing else is left', [path.name for path in out.iterdir() if path.name not in
                                           [f'{p}.png' for p in PICTURES]
                                           + ['index.html', 'summary.json']])
        tap.check('the page is whole and needs nothing else', page_problems(out / 'index.html'))
        tap.check('its calls are in the headers', unknown_names(out / 'index.html'))
        check_in_browser(out / 'index.html', Path(name) / 'profile')
        tap.done()


if __name__ == '__main__':
    main()

package org.tfminilm.demo

import android.content.Context
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.view.View
import android.widget.RadioGroup
import android.widget.Toast
import android.widget.Toolbar

/** The places of the app, and the pages behind them. */
class MainActivity : AppActivity() {
    private lateinit var pages: Map<Int, Page>
    private lateinit var tabs: RadioGroup
    private var isRestored = false
    private val modelsChanged = ::restore
    private val somethingChanged = { current.soon() }
    private val textArrived = ::showText

    private val current: Page get() = pages.getValue(tabs.checkedRadioButtonId)

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.main)
        drawBehindBars()
        val toolbar: Toolbar = findViewById(R.id.toolbar)
        toolbar.setTitle(R.string.app_name)
        toolbar.inflateMenu(R.menu.main)
        toolbar.setOnMenuItemClickListener { open(it.itemId) }
        pages = mapOf(
            R.id.classify_tab to ClassifyPage(this),
            R.id.ask_tab to AskPage(this),
            R.id.notes_tab to NotesPage(this),
            R.id.models_tab to ModelsPage(this),
            R.id.speed_tab to SpeedPage(this),
        )
        tabs = findViewById(R.id.tabs)
        if (savedInstanceState == null) {
            tabs.check(R.id.classify_tab)
            accept(intent)
        }
    }

    override fun onPostCreate(savedInstanceState: Bundle?) {
        super.onPostCreate(savedInstanceState)
        show(tabs.checkedRadioButtonId)
        tabs.setOnCheckedChangeListener { _, tab -> show(tab) }
        app.catalog.watch(modelsChanged)
        app.imports.watch(somethingChanged)
        app.benchmarks.watch(somethingChanged)
        app.notes.watch(somethingChanged)
        app.texts.watch(textArrived)
        restore()
    }

    override fun onStart() {
        super.onStart()
        if (isRestored) current.open()
    }

    override fun onStop() {
        current.close()
        app.drafts.save()
        app.settings.save()
        super.onStop()
    }

    override fun onDestroy() {
        app.catalog.unwatch(modelsChanged)
        app.imports.unwatch(somethingChanged)
        app.benchmarks.unwatch(somethingChanged)
        app.notes.unwatch(somethingChanged)
        app.texts.unwatch(textArrived)
        super.onDestroy()
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        accept(intent)
        if (isRestored) pages.values.forEach { it.restore() }
        current.soon()
    }

    @Deprecated("The framework's way to results; androidx has another.")
    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        val uri = data?.data
        if (resultCode != RESULT_OK || uri == null) return
        if (requestCode == PICK_BUNDLE) {
            app.imports.start(uri)
        } else {
            app.texts.read(uri, FIELDS[requestCode - PICK_TEXT])
        }
    }

    /** Lets the user choose a text file for a field. */
    fun pickText(field: Field) = pick(PICK_TEXT + FIELDS.indexOf(field.name), "text/*")

    /** Chooses a model for its place, and goes there. */
    fun use(model: AvailableModel) {
        val place = placeOf(model.manifest.task)
        app.settings.choose(place, model.name)
        tabs.check(PLACES.getValue(place))
    }

    private fun open(item: Int): Boolean {
        val screen = if (item == R.id.open_history) HistoryActivity::class.java else SettingsActivity::class.java
        startActivity(Intent(this, screen))
        return true
    }

    /** As soon as all is read, and whenever the models change. */
    private fun restore() {
        if (!app.isReady) return
        if (!isRestored) {
            isRestored = true
            pages.values.forEach { it.restore() }
            current.open()
        }
        current.soon()
    }

    private fun showText() {
        val message = app.texts.message
        if (message != null) {
            Toast.makeText(this, message, Toast.LENGTH_LONG).show()
        } else {
            pages.values.forEach { it.restore() }
            current.soon()
        }
    }

    private fun show(tab: Int) {
        for ((each, page) in PAGES) {
            findViewById<View>(page).visibility = if (each == tab) View.VISIBLE else View.GONE
        }
        for ((each, page) in pages) if (each == tab && isRestored) page.open() else page.close()
    }

    /** A text of another app, or a place of this one. */
    private fun accept(intent: Intent) {
        intent.getStringExtra(PLACE)?.let { place -> PLACES[place]?.let(tabs::check) }
        val place = SHARED[intent.component?.shortClassName] ?: return
        val (tab, field) = place
        tabs.check(tab)
        val text = intent.getCharSequenceExtra(Intent.EXTRA_PROCESS_TEXT)
            ?: intent.getCharSequenceExtra(Intent.EXTRA_TEXT)
        val file: Uri? = intent.getParcelableExtra(Intent.EXTRA_STREAM)
        when {
            text != null -> app.drafts[field] = text.toString()
            file != null -> app.texts.read(file, field)
        }
    }

    companion object {
        const val PICK_BUNDLE = 1
        private const val PICK_TEXT = 2
        private const val PLACE = "place"
        private val FIELDS = listOf("sentence", "other", "document")
        private val PAGES = mapOf(
            R.id.classify_tab to R.id.classify_page,
            R.id.ask_tab to R.id.ask_page,
            R.id.notes_tab to R.id.notes_page,
            R.id.models_tab to R.id.models_page,
            R.id.speed_tab to R.id.speed_page,
        )
        private val PLACES = mapOf(
            ClassifyPage.PLACE to R.id.classify_tab,
            AskPage.PLACE to R.id.ask_tab,
            NotesPage.PLACE to R.id.notes_tab,
        )

        /** The names under which other apps reach this one: a place, and its field. */
        private val SHARED = mapOf(
            ".ClassifyText" to (R.id.classify_tab to "sentence"),
            ".AskText" to (R.id.ask_tab to "document"),
            ".NoteText" to (R.id.notes_tab to "new_note"),
        )

        /** Goes back to a place. */
        fun intent(context: Context, place: String): Intent = Intent(context, MainActivity::class.java)
            .addFlags(Intent.FLAG_ACTIVITY_CLEAR_TOP or Intent.FLAG_ACTIVITY_SINGLE_TOP)
            .putExtra(PLACE, place)
    }
}
